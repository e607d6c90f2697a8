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

/** A list whose elements have a name of their own. */
function named<T extends z.ZodType<Readonly<Record<K, string>>>, K extends string>(
  element: T,
  path: readonly string[],
  key: K,
): z.ZodDefault<z.ZodArray<T>> {
  return z
    .array(element)
    .superRefine((elements, context) => {
      const seen = new Map<string, number>();
      elements.forEach((entry, i) => {
        const name = entry[key];
        const first = seen.get(name);
        if (first === undefined) seen.set(name, i);
        else {
          const params = { first: [...path, first, key] };
          context.addIssue({ code: 'custom', path: [i, key], message: 'is taken', params });
        }
      });
    })
    .default([]) as z.ZodDefault<z.ZodArray<T>>;
}

const pipeline = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,100}$/, 'must have 1 to 100 of a-z A-Z 0-9 . _ -')
      .describe('Stable name of the pipeline: its progress is kept under it.'),
    file: z.string().exactOptional().describe('File with the TQL text, relative to the configuration.'),
    tql: z.string().exactOptional().describe('The TQL text itself, instead of a file.'),
    on_error: z
      .enum(['dead_letter', 'drop', 'stop'])
      .default('dead_letter')
      .describe(
        'What becomes of an event that a stage refuses: it is kept as a dead letter, it is dropped and counted, or it stops the pipeline until the process starts again.',
      ),
    dead_letter_topic: z
      .string()
      .regex(/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/, 'must have 1 to 249 of a-z A-Z 0-9 . _ -')
      .exactOptional()
      .describe('Topic of the embedded log that takes the dead letters; default __millrace_dead_letters.'),
  })
  .refine(({ file, tql }) => (file === undefined) !== (tql === undefined), 'needs either `file` or `tql`')
  .refine(({ dead_letter_topic, on_error }) => dead_letter_topic === undefined || on_error === 'dead_letter', {
    path: ['dead_letter_topic'],
    message: 'has no place beside another `on_error` than dead_letter',
  });

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const;
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

const certificates = z.strictObject({
  certificate: z.string().describe('File with the certificate and those between it and its authority, PEM.'),
  key: z.string().describe('File with the private key, PEM.'),
  key_password: z.string().exactOptional().describe('Opens the private key; use ${env:NAME} or ${file:PATH}.'),
  ca: z.string().exactOptional().describe('File with the authorities that sign certificates of clients, PEM.'),
  client_auth: z
    .enum(['none', 'optional', 'required'])
    .default('none')
    .describe('Whether clients show a certificate. One that is shown must be good under `ca`.'),
  principal_mapping_rules: z
    .string()
    .default('DEFAULT')
    .describe('How the subject of a client’s certificate becomes its name: Kafka’s ssl.principal.mapping.rules.'),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Oldest version of TLS that is taken.'),
});

const listener = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,50}$/, 'must have 1 to 50 of a-z A-Z 0-9 . _ -')
      .describe('Name in messages and metrics.'),
    protocol: z.enum(PROTOCOLS).describe('With or without TLS (SSL) and authentication (SASL).'),
    listen: address().describe('Address, host:port; port 0 takes a free one.'),
    advertised: address()
      .exactOptional()
      .describe('host:port that clients are told to connect to. Without it: the name they asked for, or the address.'),
    mechanisms: z
      .array(z.enum(MECHANISMS))
      .min(1)
      .exactOptional()
      .describe('How clients prove who they are; default PLAIN and both SCRAM, PLAIN alone with `log_service`.'),
    session_max: duration()
      .exactOptional()
      .describe(
        'How long a proof holds; clients renew it on the same connection. Without it: as long as a token does.',
      ),
    tls: certificates.exactOptional().describe('Certificates, for SSL and SASL_SSL; looked at every few seconds.'),
    allow_plaintext: z.boolean().default(false).describe('Allows it without TLS on another address than loopback.'),
    log_service: z
      .boolean()
      .default(false)
      .describe(
        'Serves projects: the user is a project, the password an access key `id#secret`, topics are Logstores.',
      ),
    project: z.string().exactOptional().describe('Without SASL: the project that every client of it comes to.'),
    access_key: z
      .string()
      .exactOptional()
      .describe('Without SASL: id of the access key whose rights every client has.'),
  })
  .superRefine((wish, context) => {
    const complain = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    const isTls = wish.protocol.endsWith('SSL');
    const isSasl = wish.protocol.startsWith('SASL');
    if (isTls && !wish.tls) complain('tls', `is missing; ${wish.protocol} needs a certificate and its key`);
    if (!isTls && wish.tls) complain('tls', `has no place in ${wish.protocol}; say SSL or SASL_SSL`);
    if (!isSasl && wish.mechanisms) complain('mechanisms', `has no place in ${wish.protocol}; say SASL_SSL`);
    if (!isSasl && wish.session_max) complain('session_max', `has no place in ${wish.protocol}; say SASL_SSL`);
    if (wish.tls && wish.tls.client_auth !== 'none' && wish.tls.ca === undefined)
      complain('tls', 'needs `ca`: who signs the certificates of clients');
    const isBound = wish.project !== undefined || wish.access_key !== undefined;
    if (isBound && (wish.project === undefined || wish.access_key === undefined))
      complain('project', 'goes with `access_key`: the key’s rights on the project are everybody’s');
    if (isBound && (!wish.log_service || isSasl)) complain('project', 'is for `log_service: true` without SASL');
    if (wish.log_service && !isSasl && !isBound)
      complain('log_service', 'needs SASL, or `project` and `access_key` that everybody has');
    if (wish.log_service && wish.mechanisms?.some(name => name !== 'PLAIN'))
      complain('mechanisms', 'can be PLAIN only with `log_service`: access keys are passwords');
  });

const list = (text: string): z.ZodDefault<z.ZodArray<z.ZodString>> => z.array(z.string()).default([]).describe(text);

const oauth = z
  .strictObject({
    keys: z
      .string()
      .exactOptional()
      .describe('File or address (https) of the JSON Web Key Set that signs tokens; looked at again by itself.'),
    ca: z.string().exactOptional().describe('File with the authorities of the keys’ address, PEM.'),
    issuers: list('Issuers, one of which a token must name; none: any.'),
    audiences: list('Audiences, one of which a token must name; none: any.'),
    scopes: list('Scopes that a token must have.'),
    principal_claim: z.string().default('sub').describe('Claim that is the user’s name.'),
    scope_claim: z.string().default('scope').describe('Claim with the scopes.'),
    clock_skew: duration().default('30s').describe('How far the issuer’s clock may be from ours.'),
    allow_unsecured: z.boolean().default(false).describe('Takes tokens that nobody signed: for tests only.'),
  })
  .refine(({ allow_unsecured, keys }) => keys !== undefined || allow_unsecured, 'needs `keys`');

const accessKey = z.strictObject({
  id: z
    .string()
    .regex(/^[^#\s]{1,100}$/, 'must have 1 to 100 characters, no # and no blanks')
    .describe('Id of the key.'),
  secret: z.string().min(1).describe('The secret; use ${env:NAME} or ${file:PATH}.'),
  rights: z
    .array(
      z.strictObject({
        actions: z.array(z.string()).min(1).describe('Actions such as log:PostLogStoreLogs, log:Get*, log:*.'),
        resources: z
          .array(z.string())
          .min(1)
          .describe('Resources such as project/NAME/logstore/NAME; a * at the end stands for any rest.'),
      }),
    )
    .default([])
    .describe('What the key may do.'),
});

export const configSchema = z
  .strictObject({
    data: z.string().default('.millrace/data').describe('Directory of the embedded log; one process each.'),
    drain_timeout: duration()
      .default('30s')
      .describe('How long pipelines may deliver what they have when the process ends.'),
    kafka: z
      .strictObject({
        listen: address()
          .exactOptional()
          .describe(
            'Address of the plaintext listener, host:port; port 0 takes a free one. Default 127.0.0.1:9092, or none when there are `listeners`.',
          ),
        advertised_host: z.string().exactOptional().describe('Host that clients are told to connect to.'),
        advertised_port: z
          .int()
          .min(1)
          .max(65_535)
          .exactOptional()
          .describe('Port that clients are told to connect to.'),
        allow_plaintext: z.boolean().default(false).describe('Allows a plaintext listener that is not on loopback.'),
        auto_create_topics: z.boolean().default(true).describe('Whether clients create topics by using them.'),
        default_partitions: z
          .int()
          .min(1)
          .max(10_000)
          .default(1)
          .describe('Partitions of topics made without a count.'),
        listeners: named(listener, ['kafka', 'listeners'], 'name').describe(
          'Further listeners, each with its own rules.',
        ),
        users: named(
          z.strictObject({
            name: z.string().min(1).describe('Name of the user.'),
            password: z.string().min(1).describe('The password; use ${env:NAME} or ${file:PATH}.'),
          }),
          ['kafka', 'users'],
          'name',
        ).describe(
          'Users with passwords, for PLAIN and SCRAM. More SCRAM users are kept in the log (`millrace users`).',
        ),
        oauth: oauth.exactOptional().describe('How bearer tokens are judged.'),
        authorization: z
          .strictObject({
            super_users: list('Principals that may everything, such as User:admin.'),
            allow_everyone_if_no_acl_found: z
              .boolean()
              .default(false)
              .describe('Allows what no ACL is about. Without it everything is forbidden that no ACL allows.'),
          })
          .exactOptional()
          .describe('Guards topics, groups and the cluster by ACLs. Without it everybody who gets in may everything.'),
      })
      .superRefine(({ listeners, oauth: tokens }, context) => {
        listeners.forEach(({ mechanisms }, i) => {
          if (mechanisms?.includes('OAUTHBEARER') && !tokens) {
            const path = ['listeners', i, 'mechanisms'];
            context.addIssue({ code: 'custom', path, message: 'has OAUTHBEARER, which needs `kafka.oauth`' });
          }
        });
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
          .describe(
            'Threads that run pipelines; auto is one less than there are cores, 0 the thread of the listeners.',
          ),
      })
      .prefault({})
      .describe('How pipelines run.'),
    pipelines: named(pipeline, ['pipelines'], 'id').describe('Pipelines that run with the process.'),
    projects: named(
      z.strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'must have 3 to 63 of a-z 0-9 -, no - at either end')
          .describe('Name of the project.'),
      }),
      ['projects'],
      'name',
    ).describe('Projects of the log service: namespaces of Logstores.'),
    access_keys: named(accessKey, ['access_keys'], 'id').describe('Keys with which agents come to projects.'),
    secrets: z
      .record(z.string(), z.string())
      .default({})
      .describe('Secrets by name; give their values as ${env:NAME} or ${file:PATH}.'),
  })
  .superRefine((config, context) => {
    const keys = config.access_keys.map(({ id }) => id);
    const projects = config.projects.map(({ name }) => name);
    config.kafka.listeners.forEach(({ access_key: key, project }, i) => {
      const expect = (setting: string, name: string | undefined, known: readonly string[]): void => {
        if (name === undefined || known.includes(name)) return;
        const message = `is ${name}, which is not there; there are ${known.join(', ') || 'none'}`;
        context.addIssue({ code: 'custom', path: ['kafka', 'listeners', i, setting], message });
      };
      expect('access_key', key, keys);
      expect('project', project, projects);
    });
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
    case 'invalid_value':
      return `must be ${issue.values.slice(0, -1).join(', ')} or ${String(issue.values.at(-1))}`;
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
