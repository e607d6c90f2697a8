/**
 * Fetches the judges of the long suites and benches into `.cache/peers/`, once: Apache Kafka with its tools, and the
 * clients' jars that carry Kafka's message definitions, from Maven Central by Maven; Benthos from the Go proxy.
 *
 *     node tools/run.mjs test/compat/peers/fetch.ts [NAME…]
 *
 * Nothing of it enters the product or its package.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../../.cache/peers');

interface Peer {
  /** Maven coordinates `group:artifact:version`. */
  readonly artifacts: readonly string[];
}

const PEERS = {
  'kafka-4.2.0': { artifacts: ['org.apache.kafka:kafka_2.13:4.2.0', 'org.apache.kafka:kafka-tools:4.2.0'] },
  'clients-3.9.1': { artifacts: ['org.apache.kafka:kafka-clients:3.9.1', JACKSON()] },
  'clients-2.8.2': { artifacts: ['org.apache.kafka:kafka-clients:2.8.2', JACKSON()] },
} as const satisfies Record<string, Peer>;

/** Kafka's `…DataJsonConverter` classes need it, and its clients do not bring it along. */
function JACKSON(): string {
  return 'com.fasterxml.jackson.core:jackson-databind:2.16.2';
}

export type PeerName = keyof typeof PEERS;

/** The folder with the peer's jars; throws when they were not fetched. */
export function peerLibs(name: PeerName): string {
  const libs = join(CACHE, name, 'libs');
  if (!existsSync(libs)) throw new Error(`${name} is missing: node tools/run.mjs test/compat/peers/fetch.ts`);
  return libs;
}

function pom({ artifacts }: Peer): string {
  const dependencies = artifacts.map(text => {
    const [group, artifact, version] = text.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace.peers</groupId><artifactId>peer</artifactId><version>1</version>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`;
}

/** Into a folder beside it first, so that an interrupted fetch leaves nothing that looks whole. */
function fetchPeer(name: PeerName): void {
  const target = join(CACHE, name);
  const text = pom(PEERS[name]);
  if (existsSync(join(target, 'libs')) && readFileSync(join(target, 'pom.xml'), 'utf8') === text) return;
  process.stderr.write(`fetching ${name} …\n`);
  const work = join(CACHE, `${name}.partial`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'pom.xml'), text);
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=libs'];
  const { status, error } = spawnSync('mvn', ['-q', '-B', ...goal], {
    cwd: work,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`Maven could not fetch ${name}: ${error?.message ?? `exit code ${status}`}`);
  rmSync(target, { recursive: true, force: true });
  renameSync(work, target);
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  for (const name of Object.keys(PEERS) as PeerName[])
    if (wanted.length === 0 || wanted.includes(name)) fetchPeer(name);
}
