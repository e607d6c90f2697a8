/** What the benches share: CPU time of processes, medians with their spread, results with the machine they are from. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');

export interface Usage {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

/** Runs a command to its end; CPU time is the child's, user and system, as the kernel accounts it to its parent. */
export function runMeasured(command: string, args: readonly string[]): Promise<Usage> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', 'TIMEFORMAT="usage %R %U %S"; time "$@"', 'bash', command, ...args], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', chunk => {
      output += String(chunk);
    });
    child.once('exit', code => {
      const usage = /usage ([\d.]+) ([\d.]+) ([\d.]+)/.exec(output);
      if (code !== 0 || !usage) return reject(new Error(`${command} ended with ${code}: ${output}`));
      const [wall, user, system] = usage.slice(1).map(Number) as [number, number, number];
      resolve({ wallSeconds: wall, cpuSeconds: user + system });
    });
  });
}

/** CPU seconds of a running process so far, all its threads. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/** `sysconf(_SC_CLK_TCK)`, 100 on every Linux that Node runs on. */
const CLOCK_TICKS = 100;

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line![1]) * 1024;
}

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
}

export function figure(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: round(sorted[sorted.length >> 1]!), least: round(sorted[0]!), greatest: round(sorted.at(-1)!) };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Quotients of runs that stood side by side. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Figure {
  return figure(ours.map((value, i) => value / theirs[i]!));
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
}

/** Fewer runs than this are a trial: their results are not kept. */
const RUNS_LEAST = 7;

/** Keeps the results in `bench/results/<name>.json`. */
export function keep(name: string, results: { readonly runs: number; readonly [field: string]: unknown }): void {
  const text = `${JSON.stringify({ machine: machine(), date: new Date().toISOString().slice(0, 10), ...results }, null, 2)}\n`;
  if (results.runs < RUNS_LEAST) {
    process.stdout.write(text);
    return;
  }
  const directory = join(import.meta.dirname, 'results');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.json`), text);
}
