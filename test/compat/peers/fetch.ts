/**
 * Fetches the judges of the long suites and benches into `.cache/peers/`, once: Apache Kafka with its tools, and the
 * clients' jars that carry Kafka's message definitions, from Maven Central by Maven; Benthos from the Go proxy.
 *
 *     node tools/run.mjs test/compat/peers/fetch.ts [NAME…]
 *
 * Nothing of it enters the product or its package.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../../.cache/peers');

type Peer =
  /** Maven coordinates `group:artifact:version`, copied with what they need into `libs`. */
  | { readonly artifacts: readonly string[] }
  /** A Go program of our own over a module `path@version`; `<name>` is the binary. */
  | { readonly module: string; readonly program: string };

const PEERS = {
  'kafka-4.2.0': { artifacts: ['org.apache.kafka:kafka_2.13:4.2.0', 'org.apache.kafka:kafka-tools:4.2.0'] },
  'clients-3.9.1': { artifacts: ['org.apache.kafka:kafka-clients:3.9.1', JACKSON()] },
  'clients-2.8.2': { artifacts: ['org.apache.kafka:kafka-clients:2.8.2', JACKSON()] },
  'streams-4.2.0': { artifacts: ['org.apache.kafka:kafka-streams:4.2.0'] },
  ...javaClients('2.1.1', '1.1.1', '0.11.0.2', '0.10.2.2', '0.10.0.1', '0.9.0.1'),
  // With the old consumer and producer in Scala, which no jar of clients has.
  'kafka-0.8.2.2': { artifacts: ['org.apache.kafka:kafka_2.10:0.8.2.2'] },
  'benthos-4.27.0': {
    module: 'github.com/benthosdev/benthos/v4@v4.27.0',
    program: `package main

import (
	"context"

	_ "github.com/benthosdev/benthos/v4/public/components/io"
	_ "github.com/benthosdev/benthos/v4/public/components/kafka"
	_ "github.com/benthosdev/benthos/v4/public/components/pure"
	"github.com/benthosdev/benthos/v4/public/service"
)

func main() { service.RunCLI(context.Background()) }
`,
  },
} as const satisfies Record<string, Peer>;

/** Kafka's `…DataJsonConverter` classes need it, and its clients do not bring it along. */
function JACKSON(): string {
  return 'com.fasterxml.jackson.core:jackson-databind:2.16.2';
}

function javaClients<const V extends string>(...versions: V[]): Record<`clients-${V}`, { artifacts: string[] }> {
  const entries = versions.map(version => [
    `clients-${version}`,
    { artifacts: [`org.apache.kafka:kafka-clients:${version}`] },
  ]);
  return Object.fromEntries(entries) as Record<`clients-${V}`, { artifacts: string[] }>;
}

export type PeerName = keyof typeof PEERS;

/** The folder with the peer's jars; throws when they were not fetched. */
export function peerLibs(name: PeerName): string {
  const libs = join(CACHE, name, 'libs');
  if (!existsSync(libs)) throw new Error(`${name} is missing: node tools/run.mjs test/compat/peers/fetch.ts`);
  return libs;
}

/** Benthos, built by `fetch`; used by benches only. */
export function benthosBinary(): string {
  const binary = join(CACHE, 'benthos-4.27.0', 'peer');
  if (!existsSync(binary))
    throw new Error('benthos is missing: node tools/run.mjs test/compat/peers/fetch.ts benthos-4.27.0');
  return binary;
}

function pom(artifacts: readonly string[]): string {
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

/** What is wanted, in full; kept beside what was fetched, so that a change of it fetches anew. */
function recipe(peer: Peer): Readonly<Record<string, string>> {
  if ('artifacts' in peer) return { 'pom.xml': pom(peer.artifacts) };
  const [path, version] = peer.module.split('@');
  return {
    'go.mod.in': `module millrace.peers/peer\n\ngo 1.24\n\nrequire ${path} ${version}\n`,
    'main.go': peer.program,
  };
}

/** Into a folder beside it first, so that an interrupted fetch leaves nothing that looks whole. */
function fetchPeer(name: PeerName): void {
  const target = join(CACHE, name);
  const files = Object.entries(recipe(PEERS[name]));
  const isSame = ([file, text]: [string, string]): boolean =>
    existsSync(join(target, file)) && readFileSync(join(target, file), 'utf8') === text;
  if (files.every(isSame)) return;
  process.stderr.write(`fetching ${name} …\n`);
  const work = join(CACHE, `${name}.partial`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(work, file), text);
  if ('artifacts' in PEERS[name]) {
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=libs'];
    execute('mvn', ['-q', '-B', ...goal], work);
  } else {
    copyFileSync(join(work, 'go.mod.in'), join(work, 'go.mod'));
    execute('go', ['mod', 'tidy'], work);
    execute('go', ['build', '-o', 'peer', '.'], work);
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(work, target);
}

function execute(command: string, args: readonly string[], cwd: string): void {
  const environment = { ...process.env, CGO_ENABLED: '0', MAVEN_ARGS: '--color=never' };
  const { error, status } = spawnSync(command, args, {
    cwd,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`${command} failed in ${cwd}: ${error?.message ?? `exit code ${status}`}`);
}

/** Those that the long suites need; benches ask for theirs by name. */
const OF_SUITES: readonly PeerName[] = (Object.keys(PEERS) as PeerName[]).filter(name => 'artifacts' in PEERS[name]);

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2) as PeerName[];
  for (const name of wanted.length > 0 ? wanted : OF_SUITES) {
    if (!(name in PEERS)) throw new Error(`${name} is none of ${Object.keys(PEERS).join(', ')}`);
    fetchPeer(name);
  }
}
