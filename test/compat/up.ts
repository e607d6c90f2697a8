/** A running `millrace up` for the suites of foreign clients: its own data directory, a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface Server {
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  /** What it has logged. */
  readonly output: string;
  /** What it tells Prometheus. */
  metrics(): Promise<string>;
  start(): Promise<void>;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  remove(): void;
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** `config` is the text of a `millrace.yaml`, for pipelines. */
export async function makeServer(config = ''): Promise<Server> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-up-'));
  const configFile = join(directory, 'millrace.yaml');
  writeFileSync(configFile, config === '' ? '{}\n' : config);
  let child: ChildProcess | undefined;
  let output = '';
  return {
    port,
    get pid() {
      return child!.pid!;
    },
    directory,
    get output() {
      return output;
    },
    metrics: async () => {
      const http = /"http":"([^"]+)"/.exec(output)?.[1];
      return (await fetch(`http://${http}/metrics`)).text();
    },
    start: () =>
      new Promise((resolve, reject) => {
        const args = [
          'src/cli/main.ts',
          'up',
          '-c',
          configFile,
          '--data',
          join(directory, 'data'),
          '--kafka',
          `127.0.0.1:${port}`,
          '--http',
          '127.0.0.1:0',
        ];
        const started = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
        child = started;
        output = '';
        started.stderr.on('data', chunk => {
          output += String(chunk);
          if (output.includes('pipelines')) resolve();
        });
        started.once('exit', code => reject(new Error(`up ended with ${code}: ${output}`)));
      }),
    kill: signal =>
      new Promise(resolve => {
        child!.removeAllListeners('exit');
        child!.once('exit', () => resolve());
        child!.kill(signal);
      }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
