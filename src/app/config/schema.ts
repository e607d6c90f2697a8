/** `millrace.yaml`, declared once: types, defaults, texts, limits. Parsing with places is `document.ts`. */
import * as z from 'zod';
import { parseAddress } from '../../base/index.ts';

/** As many ranges as the arena's address space takes beside the process's own. */
export const WORKERS_MAX = 28;

const SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, KB: 1e3, MB: 1e6, GB: 1e9 } as const;
const SIZE = /^(\d+)(B|KiB|MiB|GiB|KB|MB|GB)$/;
const DURATIONS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+)(ms|s|m|h|d)$/;

const size = (): z.ZodString => z.string().regex(SIZE, 'must be a size with its unit, such as 128MiB');
const duration = (): z.ZodString => z.string().regex(DURATION, 'must be a duration with its unit, such as 30s');
const address = (): z.ZodString =>
  z.string().refine(text => parseAddress(text) !== undefined, 'must be host:port, such as 127.0.0.1:9092');

const pipeline = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,100}$/, 'must have 1 to 100 of a-z A-Z 0-9 . _ -')
      .describe('Stable name of the pipeline: its progress is kept under it.'),
    file: z.string().exactOptional().describe('File with the TQL text, relative to the configuration.'),
    tql: z.string().exactOptional().describe('The TQL text itself, instead of a file.'),
  })
  .refine(({ file, tql }) => (file === undefined) !== (tql === undefined), 'needs either `file` or `tql`');

export const configSchema = z.strictObject({
  data: z.string().default('.millrace/data').describe('Directory of the embedded log; one process each.'),
  drain_timeout: duration()
    .default('30s')
    .describe('How long pipelines may deliver what they have when the process ends.'),
  kafka: z
    .strictObject({
      listen: address()
        .default('127.0.0.1:9092')
        .describe('Address of the Kafka listener, host:port; port 0 takes a free one.'),
      advertised_host: z.string().exactOptional().describe('Host that clients are told to connect to.'),
      advertised_port: z.int().min(1).max(65_535).exactOptional().describe('Port that clients are told to connect to.'),
      allow_plaintext: z.boolean().default(false).describe('Allows a plaintext listener that is not on loopback.'),
      auto_create_topics: z.boolean().default(true).describe('Whether clients create topics by using them.'),
      default_partitions: z.int().min(1).max(10_000).default(1).describe('Partitions of topics made without a count.'),
    })
    .prefault({})
    .describe('The embedded Kafka server.'),
  http: z
    .strictObject({
      listen: address()
        .default('127.0.0.1:8081')
        .describe('Address for health and metrics, host:port; port 0 takes a free one.'),
    })
    .prefault({})
    .describe('Health and metrics over HTTP.'),
  log: z
    .strictObject({
      file_size: size().default('128MiB').describe('Size at which a journal file is sealed.'),
    })
    .prefault({})
    .describe('The embedded log.'),
  engine: z
    .strictObject({
      workers: z
        .union(
          [z.literal('auto'), z.int().min(0).max(WORKERS_MAX)],
          `must be auto or a whole number from 0 to ${WORKERS_MAX}`,
        )
        .default('auto')
        .describe('Threads that run pipelines; auto is one less than there are cores, 0 the thread of the listeners.'),
    })
    .prefault({})
    .describe('How pipelines run.'),
  pipelines: z
    .array(pipeline)
    .default([])
    .superRefine((pipelines, context) => {
      const seen = new Map<string, number>();
      pipelines.forEach(({ id }, i) => {
        const first = seen.get(id);
        if (first === undefined) seen.set(id, i);
        else
          context.addIssue({
            code: 'custom',
            path: [i, 'id'],
            message: 'is taken',
            params: { first: ['pipelines', first, 'id'] },
          });
      });
    })
    .describe('Pipelines that run with the process.'),
  secrets: z
    .record(z.string(), z.string())
    .default({})
    .describe('Secrets by name; give their values as ${env:NAME} or ${file:PATH}.'),
});

export type Config = z.output<typeof configSchema>;

/** Bytes of a checked size. */
export function sizeBytes(text: string): number {
  const [, digits, unit] = SIZE.exec(text)!;
  return Number(digits) * SIZES[unit as keyof typeof SIZES];
}

/** Milliseconds of a checked duration. */
export function durationMs(text: string): number {
  const [, digits, unit] = DURATION.exec(text)!;
  return Number(digits) * DURATIONS[unit as keyof typeof DURATIONS];
}

export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

export interface ConfigIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Set for a key that the schema does not know: the last part of the path. */
  readonly knownKeys?: readonly string[];
  /** Where the same stands, too. */
  readonly first?: readonly (string | number)[];
}

/** The configuration, or everything that is wrong with the value. */
export function validateConfig(
  value: unknown,
):
  | { readonly config: Config; readonly issues?: never }
  | { readonly config?: never; readonly issues: readonly ConfigIssue[] } {
  const parsed = configSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return { config: parsed.data };
  return { issues: parsed.error.issues.flatMap(issuesOf) };
}

function issuesOf(issue: z.core.$ZodIssue): ConfigIssue[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({ path: [...path, key], message: `unknown key "${key}"`, knownKeys: keysAt(path) }));
  const message = `${path.length === 0 ? 'the configuration' : pathText(path)} ${messageOf(issue)}`;
  const first = issue.code === 'custom' ? (issue.params?.['first'] as ConfigIssue['path'] | undefined) : undefined;
  return [{ path, message, ...(first && { first }) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${nounOf(issue.expected)}, got ${nounOf(typeOf(issue.input))}`;
    case 'too_small':
      return `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a map of settings',
  record: 'a map',
  array: 'a list',
  null: 'nothing',
};

function nounOf(type: string): string {
  return NOUNS[type] ?? type;
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

/** `pipelines[2].id`. */
function pathText(path: readonly (string | number)[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

type Shape = { readonly shape?: Record<string, unknown>; readonly element?: unknown; unwrap?(): unknown };

/** Keys that the schema knows at a path. */
function keysAt(path: readonly (string | number)[]): string[] {
  const bare = (inner: Shape | undefined): Shape | undefined => {
    let at = inner;
    while (at && !at.shape && !at.element && typeof at.unwrap === 'function') at = at.unwrap() as Shape;
    return at;
  };
  let schema: Shape | undefined = configSchema as unknown as Shape;
  for (const part of path) {
    schema = bare(schema);
    schema = (typeof part === 'number' ? schema?.element : schema?.shape?.[part]) as Shape | undefined;
  }
  return Object.keys(bare(schema)?.shape ?? {});
}
