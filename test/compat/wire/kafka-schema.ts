/**
 * Kafka's own message definitions, read out of a `kafka-clients` jar (`common/message/*.json`, JSON with `//` comments),
 * and one normal form for theirs and ours: the rows of a version, in the order in which they are encoded.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FieldDefinition } from '../../../src/wire/define.ts';
import { type PeerName, peerLibs } from '../peers/fetch.ts';

/** Newest first: a version that several know is judged by all of them. */
export const JARS = ['kafka-4.2.0', 'clients-3.9.1', 'clients-2.8.2'] as const satisfies readonly PeerName[];
export type JarName = (typeof JARS)[number];

interface KafkaField {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean;
  readonly fields?: readonly KafkaField[];
}

export interface KafkaMessage {
  readonly type: 'request' | 'response' | 'header' | 'data';
  readonly name: string;
  readonly apiKey?: number;
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly latestVersionUnstable?: boolean;
  readonly fields: readonly KafkaField[];
  readonly commonStructs?: readonly KafkaField[];
}

/** What decides the bytes of one field in one version. */
export interface Row {
  /** Names from the message down, `[]` after those of arrays: `topics[].partitions[].index`. */
  readonly path: string;
  readonly type: string;
  readonly isNullable: boolean;
  /** -1: not tagged. */
  readonly tag: number;
  readonly default: string;
}

/** Both ends inclusive; an open end is `Infinity`, and of `none` nothing is inside. */
export function versionRange(text: string | undefined): readonly [number, number] {
  if (text === undefined || text === 'none') return [0, -1];
  const [first, last] = text.split('-');
  if (first!.endsWith('+')) return [Number(first!.slice(0, -1)), Number.POSITIVE_INFINITY];
  return [Number(first), Number(last ?? first)];
}

export function isInside(text: string | undefined, version: number): boolean {
  const [first, last] = versionRange(text);
  return version >= first && version <= last;
}

/** All messages of a jar by their names, such as `FetchRequest`. */
export function kafkaMessages(jar: JarName): Map<string, KafkaMessage> {
  const directory = extracted(jar);
  const messages = new Map<string, KafkaMessage>();
  for (const file of readdirSync(directory).filter(name => name.endsWith('.json'))) {
    const text = readFileSync(join(directory, file), 'utf8');
    const message = JSON.parse(firstValue(text)) as KafkaMessage;
    messages.set(message.name, message);
  }
  return messages;
}

/** The newest jar's word counts for its unstable versions too; an older one's may have changed before their release. */
export function isJudge(
  jar: JarName,
  messages: ReadonlyMap<string, KafkaMessage>,
  name: string,
  version: number,
): boolean {
  const message = messages.get(name);
  if (message === undefined || !isInside(message.validVersions, version)) return false;
  const request = messages.get(name.replace(/Response$/, 'Request'))!;
  const isUnstable = request.latestVersionUnstable === true && version === versionRange(request.validVersions)[1];
  return jar === JARS[0] || !isUnstable;
}

export function clientsJar(jar: JarName): string {
  const libs = peerLibs(jar);
  const name = readdirSync(libs).find(file => /^kafka-clients-[\d.]+\.jar$/.test(file));
  if (name === undefined) throw new Error(`no kafka-clients jar in ${libs}`);
  return join(libs, name);
}

function extracted(jar: JarName): string {
  const target = join(peerLibs(jar), '../schema');
  if (!existsSync(target)) {
    const work = `${target}.partial`;
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work);
    const { status, stderr, error } = spawnSync('jar', ['xf', clientsJar(jar), 'common/message'], { cwd: work });
    if (status !== 0) throw new Error(`jar xf: ${error?.message ?? String(stderr)}`);
    renameSync(work, target);
  }
  return join(target, 'common/message');
}

/** The first JSON value without comments. Kafka's reader stops there too: one file of 2.8.2 has brackets left over. */
function firstValue(text: string): string {
  let depth = 0;
  let kept = '';
  for (const [part] of text.matchAll(/"(?:\\.|[^"\\])*"|\/\/[^\n]*|[[\]{}]|[^"/[\]{}]+|\//g)) {
    if (part.startsWith('//')) continue;
    kept += part;
    if (part === '{' || part === '[') depth++;
    else if ((part === '}' || part === ']') && --depth === 0) break;
  }
  return kept;
}

/**
 * Fields that 2.8.2 called otherwise, theirs then → theirs now. The bytes are the same. Paths are whole, so that a nested
 * name is changed only where it stood.
 */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  FetchResponse: {
    'responses[].partitionResponses[]': 'partitions[]',
    'responses[].partitionResponses[].partition': 'partitionIndex',
    'responses[].partitionResponses[].recordSet': 'records',
  },
  OffsetCommitRequest: { generationId: 'generationIdOrMemberEpoch' },
  AddPartitionsToTxnRequest: {
    transactionalId: 'v3AndBelowTransactionalId',
    producerId: 'v3AndBelowProducerId',
    producerEpoch: 'v3AndBelowProducerEpoch',
    'topics[]': 'v3AndBelowTopics[]',
  },
  AddPartitionsToTxnResponse: {
    'results[]': 'resultsByTopicV3AndBelow[]',
    'results[].results[]': 'resultsByPartition[]',
    'results[].results[].errorCode': 'partitionErrorCode',
  },
  DescribeLogDirsRequest: { 'topics[].partitionIndex[]': 'partitions[]' },
  ElectLeadersRequest: { 'topicPartitions[].partitionId[]': 'partitions[]' },
};

/** A path of the jar's names in the names of today. */
export function renamed(jar: JarName, message: string, path: string): string {
  const names = jar === 'clients-2.8.2' ? RENAMED[message] : undefined;
  if (names === undefined) return path;
  const parts = path.split('.');
  return parts.map((part, i) => names[parts.slice(0, i + 1).join('.')] ?? part).join('.');
}

/** The jar's name of our field, below the path of the jar's names that leads to it. */
export function theirName(jar: JarName, message: string, prefix: readonly string[], ours: string): string {
  const names = jar === 'clients-2.8.2' ? RENAMED[message] : undefined;
  const path = (name: string): string => [...prefix, name].join('.');
  const old = Object.entries(names ?? {}).find(([key, now]) => now === ours && key === path(key.split('.').at(-1)!));
  return old?.[0].split('.').at(-1) ?? ours;
}

const lowerFirst = (name: string): string => name[0]!.toLowerCase() + name.slice(1);

export function kafkaRows(jar: JarName, message: KafkaMessage, version: number): Row[] {
  const common = new Map(message.commonStructs?.map(struct => [struct.name, struct.fields!]));
  const walk = (fields: readonly KafkaField[], prefix: string): Row[] =>
    fields
      .filter(field => isInside(field.versions ?? field.taggedVersions, version))
      .map(field => {
        const tag = isInside(field.taggedVersions, version) ? field.tag! : -1;
        return { field, tag };
      })
      .sort((a, b) => a.tag - b.tag)
      .flatMap(({ field, tag }) => {
        const isArray = field.type.startsWith('[]');
        const element = isArray ? field.type.slice(2) : field.type;
        const inner = /^[A-Z]/.test(element) ? (field.fields ?? common.get(element)) : undefined;
        const path = `${prefix}${lowerFirst(field.name)}${isArray ? '[]' : ''}`;
        const row: Row = {
          path,
          type: inner === undefined ? element : 'struct',
          isNullable: isInside(field.nullableVersions, version),
          tag,
          default: kafkaDefault(field, isArray, inner !== undefined),
        };
        return [row, ...(inner === undefined ? [] : walk(inner, `${path}.`))];
      });
  return walk(message.fields, '').map(row => ({ ...row, path: renamed(jar, message.name, row.path) }));
}

function kafkaDefault(field: KafkaField, isArray: boolean, isStruct: boolean): string {
  if (field.default === 'null') return 'null';
  if (isArray) return '[]';
  if (isStruct) return '{}';
  const given = field.default ?? '';
  switch (field.type) {
    case 'string':
      return JSON.stringify(given);
    case 'bytes':
      return 'empty';
    // Kafka's generator has no other default for record data.
    case 'records':
      return 'null';
    case 'uuid':
      return 'zero';
    case 'bool':
      return given === '' ? 'false' : String(given);
    default:
      return String(Number(given));
  }
}

export function ourRows(fields: readonly FieldDefinition[], version: number, prefix = ''): Row[] {
  return fields
    .filter(field => version >= (field.since ?? 0) && version <= (field.until ?? Number.POSITIVE_INFINITY))
    .toSorted((a, b) => (a.tag ?? -1) - (b.tag ?? -1))
    .flatMap(field => {
      const isArray = field.type === 'array';
      const path = `${prefix}${field.name}${isArray ? '[]' : ''}`;
      const row: Row = {
        path,
        type: typeof field.of === 'object' ? 'struct' : isArray ? field.of! : field.type,
        isNullable: field.nullableSince !== undefined && version >= field.nullableSince,
        tag: field.tag ?? -1,
        default: ourDefault(field),
      };
      return [row, ...(typeof field.of === 'object' ? ourRows(field.of, version, `${path}.`) : [])];
    });
}

/** What the generator assumes, see `defaultOf` in `tools/gen-wire/generate.ts`. */
function ourDefault(field: FieldDefinition): string {
  if (field.default !== undefined) return String(field.default);
  switch (field.type) {
    case 'array':
      return '[]';
    case 'struct':
      return field.nullableSince === undefined ? '{}' : 'null';
    case 'string':
      return '""';
    case 'bytes':
    case 'records':
      return field.nullableSince === undefined ? 'empty' : 'null';
    case 'uuid':
      return 'zero';
    case 'bool':
      return 'false';
    default:
      return '0';
  }
}
