/**
 * A real Apache Kafka 4.2 (one KRaft node) on free ports and a folder of its own, and Kafka's own command line tools.
 * `kill` is kill -9; `start` begins again on the same data and port.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../up.ts';
import { peerLibs } from './fetch.ts';

export interface Kafka {
  readonly port: number;
  readonly pid: number;
  start(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  remove(): void;
}

const classPath = (): string => join(peerLibs('kafka-4.2.0'), '*');
/** Spelled out: a config file of Log4j would be a second thing to keep. */
const QUIET = ['-Dlog4j2.level=ERROR', '-Dorg.apache.logging.log4j.level=ERROR'];
const HEAP_OF_TESTS = ['-Xmx512m'];
export const HEAP_OF_BENCHES = ['-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'];

type Properties = Readonly<Record<string, string>>;

/** `overrides` are lines of `server.properties`, or what makes them from those that would be there. */
export async function makeKafka(
  overrides: Properties | ((own: Properties) => Properties) = {},
  heap: readonly string[] = HEAP_OF_TESTS,
): Promise<Kafka> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const directory = mkdtempSync(join(tmpdir(), 'kafka-'));
  const file = join(directory, 'server.properties');
  const own: Properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  };
  const properties = { ...own, ...(typeof overrides === 'function' ? overrides(own) : overrides) };
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(''));
  const format = ['format', '--standalone', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', file];
  const formatted = spawnSync('java', ['-cp', classPath(), ...QUIET, 'kafka.tools.StorageTool', ...format], {
    encoding: 'utf8',
  });
  if (formatted.status !== 0) throw new Error(`StorageTool: ${formatted.stdout}${formatted.stderr}`);
  let child: ChildProcess | undefined;
  return {
    port,
    get pid() {
      return child!.pid!;
    },
    start: async () => {
      const started = spawn('java', [...heap, '-cp', classPath(), ...QUIET, 'kafka.Kafka', file], { stdio: 'ignore' });
      child = started;
      let exited = false;
      started.once('exit', () => {
        exited = true;
      });
      while (!(await isServing(port))) {
        if (exited) throw new Error(`Kafka ended; its files are in ${directory}`);
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    },
    kill: (signal = 'SIGKILL') =>
      new Promise(resolve => {
        if (!child || child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill(signal);
      }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** True when it answers ApiVersions; an open port alone is not yet a broker. */
function isServing(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1');
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.setTimeout(2_000, () => done(false));
    // ApiVersions 0, correlation id 1, client id null.
    socket.once('connect', () => socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex')));
    socket.once('data', () => done(true));
  });
}

export const KAFKA_TOOLS = {
  producer: 'org.apache.kafka.tools.ConsoleProducer',
  consumer: 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  topics: 'org.apache.kafka.tools.TopicCommand',
  configs: 'kafka.admin.ConfigCommand',
  acls: 'org.apache.kafka.tools.AclCommand',
  groups: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  deleteRecords: 'org.apache.kafka.tools.DeleteRecordsCommand',
  logDirs: 'org.apache.kafka.tools.LogDirsCommand',
  offsets: 'org.apache.kafka.tools.GetOffsetShell',
  transactions: 'org.apache.kafka.tools.TransactionsCommand',
} as const;

/** Arguments of `java` for one of Kafka's tools. */
export function kafkaTool(tool: keyof typeof KAFKA_TOOLS, args: readonly string[]): string[] {
  return ['-Xmx256m', '-cp', classPath(), ...QUIET, KAFKA_TOOLS[tool], ...args];
}
