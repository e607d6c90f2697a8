/** What the demo shows: what listens where, what to try, and the live ledger. */
import type { App, PipelineReport } from '../app/index.ts';
import { VERSION } from '../app/index.ts';
import { type Demo, FAULT_MS, FAULT_PERIOD_MS } from '../app/demo/index.ts';
import { addressText } from '../base/index.ts';
import { ledgerTable, sumText, troubleTexts } from './ledger.ts';
import { palette } from './output.ts';
import { sparkline } from './terminal.ts';

const RATES = 20;
const RATE_MS = 500;

/** The lines above the ledger. */
export function demoIntroduction(app: App, demo: Demo): string[] {
  const kafka = addressText(app.kafkaAddress);
  const http = `http://${addressText(app.httpAddress)}`;
  const topics = [...app.log.topics()].length;
  const brokers = app.kafkaAddress.port === 9092 ? '' : ` -b ${kafka}`;
  const ok = palette.good('✓');
  return [
    `millrace ${VERSION} · demo · data ${app.parts.config.data}`,
    '',
    `  ${ok} log        ${kafka}   Kafka protocol, ${topics} topics`,
    `  ${ok} pipelines  ${app.parts.pipelines.map(({ id }) => id).join('   ')}`,
    `  ${ok} sinks      ${demo.receivers.map(({ url }) => url).join('   ')}`,
    `               HEC receivers; the second is busy ${FAULT_MS / 1_000} s of every ${FAULT_PERIOD_MS / 1_000}`,
    `  ${ok} health     ${http}/readyz?verbose`,
    `  ${ok} metrics    ${http}/metrics`,
    '',
    `  try  echo '{"severity_id": 5}' | kcat -b ${kafka} -t ocsf-events -P`,
    '       ./millrace tap high-severity/where -n 5',
    `       ./millrace consume sign-ins --from end -n 5${brokers}`,
    `       ./millrace groups describe high-severity${brokers}`,
    '  Ctrl-C drains and prints the ledger',
    '',
  ];
}

/** The part that is drawn again and again. */
export class DemoStatus {
  private readonly demo: Demo;
  private readonly reports: () => readonly PipelineReport[];
  private readonly rates: number[] = [];
  private before: { readonly ms: number; readonly acknowledged: number };

  constructor(demo: Demo, reports: () => readonly PipelineReport[]) {
    this.demo = demo;
    this.reports = reports;
    this.before = { ms: performance.now(), acknowledged: demo.acknowledged };
  }

  lines(width: number, height: number): string[] {
    const reports = this.reports();
    const rate = this.rate();
    const head = `  in ${rate.toLocaleString('en-US')}/s ${sparkline(this.rates)}  ${this.demo.acknowledged.toLocaleString('en-US')} acknowledged`;
    const troubles = troubleTexts(reports).map(text => palette.warning(`  ◌ ${text}`));
    const sums = reports.map(report => `  ${report.pipelineId}  ${sumText(report)}`);
    const table = ledgerTable(reports, width).split('\n');
    const whole = [head, ...table, ...troubles];
    // A terminal that is too low for the table gets the sums.
    return whole.length <= height ? whole : [head, ...sums, ...troubles].slice(0, height);
  }

  private rate(): number {
    const elapsed = performance.now() - this.before.ms;
    // A drawing for another reason than time tells nothing new.
    if (elapsed < RATE_MS) return this.rates.at(-1) ?? 0;
    const rate = Math.round(((this.demo.acknowledged - this.before.acknowledged) / elapsed) * 1_000);
    this.before = { ms: performance.now(), acknowledged: this.demo.acknowledged };
    this.rates.push(rate);
    if (this.rates.length > RATES) this.rates.shift();
    return rate;
  }
}
