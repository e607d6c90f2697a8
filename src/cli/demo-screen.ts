/** The demo's terminal: what listens where, the live ledger, what to try. Plain lines where it is no terminal. */
import type { App, Demo } from '../app/index.ts';
import { VERSION } from '../app/index.ts';
import { note, palette, table } from './output.ts';

const REFRESH_MS = 1_000;
const PLAIN_MS = 10_000;

type Reports = ReturnType<App['reports']>;

const number = (value: number): string => value.toLocaleString('en-US');

export class DemoScreen {
  private readonly app: App;
  private readonly demo: Demo;
  private timer: NodeJS.Timeout | undefined;
  private drawn = 0;
  private lastSent = 0;
  private lastMs = performance.now();

  constructor(app: App, demo: Demo) {
    this.app = app;
    this.demo = demo;
  }

  start(): void {
    const { app, demo } = this;
    const kafka = `${app.kafkaAddress.host}:${app.kafkaAddress.port}`;
    const http = `http://${app.httpAddress.host}:${app.httpAddress.port}`;
    note(`millrace ${VERSION} · demo · data ${app.parts.config.data}\n`);
    note(`  ✓ log        ${kafka}   Kafka protocol, ${[...app.log.topics()].length} topics`);
    note(`  ✓ pipelines  ${app.parts.pipelines.map(({ id }) => id).join(', ')}`);
    note(
      `  ✓ sinks      ${demo.receivers.map(({ url }) => url).join(', ')} (built-in HEC receivers; the second fails now and then)`,
    );
    note(`  ✓ health     ${http}/readyz   ${http}/metrics\n`);
    note(`  try  echo '{"severity_id": 5, "message": "hello"}' | kcat -b ${kafka} -t ocsf-events -P`);
    note(`       ./millrace tap high-severity/where -n 5`);
    note(`       ./millrace consume sign-ins -b ${kafka} --from end`);
    note('  Ctrl-C drains and prints the ledger\n');
    const isLive = process.stderr.isTTY === true;
    this.timer = setInterval(() => this.draw(isLive), isLive ? REFRESH_MS : PLAIN_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private draw(isLive: boolean): void {
    const now = performance.now();
    const rate = Math.round(((this.demo.acknowledged - this.lastSent) / (now - this.lastMs)) * 1_000);
    this.lastSent = this.demo.acknowledged;
    this.lastMs = now;
    const whole = `  in ${number(rate)}/s, ${number(this.demo.acknowledged)} acknowledged\n${ledgerText(this.app.reports())}`;
    // A line that wraps would be two on the screen, and the next drawing would begin at the wrong place.
    const width = isLive ? process.stderr.columns : Number.POSITIVE_INFINITY;
    const text = whole
      .split('\n')
      .map(line => line.slice(0, width))
      .join('\n');
    if (isLive && this.drawn > 0) process.stderr.write(`\x1b[${this.drawn}A\x1b[J`);
    note(text);
    this.drawn = text.split('\n').length;
  }
}

export function ledgerText(reports: Reports): string {
  const rows: string[][] = [
    ['', 'stage', 'in', 'passed', 'filtered', 'delivered', 'given back', 'retried', 'dead letters', 'held'],
  ];
  const troubles: string[] = [];
  for (const report of reports) {
    for (const line of report.ledger) {
      const health = report.health.find(({ stageId }) => stageId === line.stageId);
      const name = `${report.pipelineId}/${line.stageId} ${line.name}${line.endpoint === undefined ? '' : ` ${line.endpoint}`}`;
      const counts = [
        line.received,
        line.passed,
        line.filtered,
        line.delivered,
        line.returned,
        line.retried,
        line.deadLettered,
        line.held,
      ];
      rows.push([
        !health ? '' : health.isUp ? '●' : '◌',
        name,
        ...counts.map(count => (count === 0 ? '·' : number(count))),
      ]);
      if (health && !health.isUp) {
        const next = ((health.nextTryMs ?? 0) / 1_000).toFixed(1);
        troubles.push(`  ◌ ${line.endpoint}: ${health.reason}, next try in ${next} s; the others carry its share`);
      }
    }
    if (report.reason !== undefined) troubles.push(palette.error(`  ${report.pipelineId}: ${report.reason}`));
  }
  return [table(rows), ...troubles].join('\n');
}

/** The final ledger: every line must add up. */
export function printLedger(reports: Reports): void {
  note(ledgerText(reports));
  const held = reports.flatMap(({ ledger }) => ledger).reduce((sum, line) => sum + line.held, 0);
  note(held === 0 ? '  ✓ balanced: nothing is in flight' : `  ${held} events in flight go on at the next start`);
}
