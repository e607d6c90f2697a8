/**
 * `millrace.yaml`: declared once with zod, read with positions, unknown keys refused with the nearest name.
 *
 * Interpolation happens after parsing, in scalars only: `${env:NAME}` and `${env:NAME:-default}`.
 */
import { isMap, LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';
import { type Diagnostic, nearest, type Span } from '../base/index.ts';

/** As many ranges as the arena's address space takes beside the process's own. */
export const WORKERS_MAX = 28;
const SIZE = /^(\d+)(B|KiB|MiB|GiB|KB|MB|GB)?$/;

export const configSchema = z.strictObject({
  data: z.string().default('.millrace/data').describe('Directory of the embedded log; one process each.'),
  kafka: z
    .strictObject({
      listen: z.string().default('127.0.0.1:9092').describe('Address of the Kafka listener, host:port.'),
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
      listen: z.string().default('127.0.0.1:8081').describe('Address for health and metrics, host:port.'),
    })
    .prefault({})
    .describe('Health and metrics over HTTP.'),
  log: z
    .strictObject({
      file_size: z
        .string()
        .regex(SIZE, 'must be a size such as 128MiB')
        .default('128MiB')
        .describe('Size at which a journal file is sealed.'),
    })
    .prefault({})
    .describe('The embedded log.'),
  engine: z
    .strictObject({
      workers: z
        .union([z.literal('auto'), z.int().min(0).max(WORKERS_MAX)])
        .default('auto')
        .describe('Threads that run pipelines; auto is one less than there are cores, 0 the thread of the listeners.'),
    })
    .prefault({})
    .describe('How pipelines run.'),
  pipelines: z
    .array(
      z.strictObject({
        id: z
          .string()
          .regex(/^[a-zA-Z0-9._-]{1,100}$/, 'must have 1 to 100 of a-z A-Z 0-9 . _ -')
          .describe('Stable name of the pipeline.'),
        file: z.string().exactOptional().describe('File with the TQL text, relative to the configuration.'),
        tql: z.string().exactOptional().describe('The TQL text itself.'),
      }),
    )
    .default([])
    .describe('Pipelines that run with the process.'),
  secrets: z.record(z.string(), z.string()).default({}).describe('Secrets by name; use ${env:NAME} for their values.'),
});

export type Config = z.output<typeof configSchema>;

const FACTORS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** Bytes of a checked size. */
export function sizeBytes(text: string): number {
  const [, digits, unit = ''] = SIZE.exec(text) ?? [];
  return Number(digits) * (FACTORS[unit] ?? 1);
}

export function configJsonSchema(): unknown {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

export function parseConfig(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly config: Config | undefined; readonly diagnostics: readonly Diagnostic[] } {
  const document = parseDocument(text, { lineCounter: new LineCounter() });
  const diagnostics: Diagnostic[] = document.errors.map(error => ({
    code: 'MR1010',
    severity: 'error',
    message: error.message.split('\n')[0] ?? 'malformed YAML',
    span: { start: error.pos[0], end: Math.max(error.pos[1], error.pos[0] + 1) },
  }));
  if (diagnostics.length > 0) return { config: undefined, diagnostics };
  const report = (message: string, span: Span): void => {
    diagnostics.push({ code: 'MR1011', severity: 'error', message, span });
  };
  const raw: unknown = interpolate(document.toJS() ?? {}, environment, name => {
    const at = text.indexOf(`\${env:${name}`);
    report(`environment variable ${name} is not set and has no default`, { start: at, end: at + name.length + 7 });
  });
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return { config: diagnostics.length > 0 ? undefined : parsed.data, diagnostics };
  for (const issue of parsed.error.issues) {
    if (issue.code !== 'unrecognized_keys') {
      diagnostics.push({
        code: 'MR1012',
        severity: 'error',
        message: `${pathText(issue.path)}: ${issue.message}`,
        span: spanOf(document, issue.path),
      });
      continue;
    }
    for (const key of issue.keys) {
      const near = nearest(key, keysAt(issue.path));
      diagnostics.push({
        code: 'MR1013',
        severity: 'error',
        message: `unknown key "${key}"`,
        span: spanOf(document, [...issue.path, key]),
        ...(near !== undefined && { hints: [`did you mean "${near}"?`] }),
      });
    }
  }
  return { config: undefined, diagnostics };
}

function pathText(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'configuration' : path.map(String).join('.');
}

type Shape = { readonly shape?: Record<string, unknown>; readonly element?: unknown; unwrap?(): unknown };

/** Keys that the schema knows at a path. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: Shape | undefined = configSchema as unknown as Shape;
  const bare = (inner: Shape | undefined): Shape | undefined => {
    let at = inner;
    while (at && !at.shape && !at.element && typeof at.unwrap === 'function') at = at.unwrap() as Shape;
    return at;
  };
  for (const part of path) {
    schema = bare(schema);
    schema = (typeof part === 'number' ? schema?.element : schema?.shape?.[String(part)]) as Shape | undefined;
  }
  return Object.keys(bare(schema)?.shape ?? {});
}

/** Place of the key (or list element) at a path, or of what is nearest above it. */
function spanOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): Span {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(item => String((item.key as { value?: unknown } | null)?.value) === String(last));
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range) return { start: range[0], end: range[1] };
    }
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range) return { start: node.range[0], end: node.range[1] };
  }
  return { start: 0, end: 1 };
}

const VARIABLE = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

function interpolate(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  missing: (name: string) => void,
): unknown {
  if (typeof value === 'string') {
    return value.replace(VARIABLE, (_place, name: string, fallback: string | undefined) => {
      const found = environment[name] ?? fallback;
      if (found === undefined) missing(name);
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map(inner => interpolate(inner, environment, missing));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, interpolate(inner, environment, missing)]),
  );
}
