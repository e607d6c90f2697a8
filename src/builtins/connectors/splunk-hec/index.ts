/** `to_splunk`: arguments, their checks, and how the sink is put together (spec of TQL, section 13). */
import type { Diagnostic } from '../../../base/index.ts';
import { RecordValue, Secret, type Value } from '../../../data/index.ts';
import {
  type ArgumentPlaces,
  type ArgumentsOf,
  defineOperator,
  type Expr,
  s,
  type SecretText,
  type StageContext,
  walkExpr,
} from '../../../sdk/index.ts';
import { Endpoint } from './endpoint.ts';
import { type Http, HttpClient, type HttpTls } from './http.ts';
import { SplunkSink } from './sink.ts';
import { hecNotices } from './errors.ts';

const TLS_TEXTS = ['cacert', 'certfile', 'keyfile', 'min_version', 'ciphers'];
const TLS_KEYS = ['skip_peer_verification', ...TLS_TEXTS];
const TLS_SERVER_KEYS = ['client_ca', 'require_client_cert'];
const TLS_VERSIONS = ['1.0', '1.1', '1.2', '1.3'];
const PARALLEL_MAX = 64;

const ARGS = {
  url: s.secret('Base URL of the collector; the path is added.').positional(),
  hec_token: s.secret('The collector’s token.'),
  event: s.expression('What is sent as the event; the whole event unless given.').optional(),
  raw: s.expression('Text that is sent as it is, to the raw endpoint, instead of an event.').optional(),
  host: s.expression('Host of the event, as text.').optional(),
  source: s.expression('Source of the event, as text.').optional(),
  sourcetype: s.expression('Source type of the event; `_json` unless given.').optional(),
  index: s.expression('Index of the event; the collector’s default unless given.').optional(),
  time: s.expression('Time of the event: a time, or seconds.').optional(),
  fields: s.expression('Indexed fields: a record of strings or lists of strings.').optional(),
  queue: s.string('Splunk’s queue that takes the events: `indexing`.').default('indexing'),
  include_nulls: s.bool('Keep null fields in the event.').default(false).alias('print_nulls'),
  max_content_length: s.uint('Bytes of a request before compression, at most.').default(5 * 1024 * 1024),
  buffer_timeout: s.duration('How long an incomplete request waits.').default(5_000).alias('send_timeout'),
  compress: s.bool('Compress requests with gzip.').default(true),
  parallel: s.uint('Requests under way at a time, at most.').default(1),
  mode: s.string('Protocol: `hec`.').default('hec'),
  endpoint: s.string('`event`, or `raw`: then `event` is the text to send.').default('event'),
  max_attempts: s
    .uint(
      'Attempts at a request that gets answers nobody knows, before its events go to the dead letters; unbounded unless given.',
    )
    .optional(),
  timeout: s.duration('How long the answer to a request may take.').default(30_000),
  ack_timeout: s.duration('How long an acknowledgement may take, before the events are sent again.').default(180_000),
  tls: s.value('TLS settings as a record, or whether to use TLS at all.').optional(),
  tls_no_verify: s.bool('Accept any certificate.').default(false).alias('skip_peer_verification'),
  cacert: s.string('PEM file with the authorities to trust.').optional(),
  certfile: s.string('PEM file with the client’s certificate.').optional(),
  keyfile: s.string('PEM file with the client’s key.').optional(),
};

export const toSplunk = defineOperator({
  name: 'to_splunk',
  summary: 'Sends events to a Splunk HTTP Event Collector, with retries and acknowledgements.',
  input: ['events'],
  output: 'void',
  args: ARGS,
  validate: (args, places) => {
    const found: Diagnostic[] = [];
    const add: Add = (name, message, more = {}) => {
      found.push({ code: hecNotices.badArgument, severity: 'error', message, span: places.of(name), ...more });
    };
    for (const other of ['event', 'fields', 'endpoint'] as const) {
      const isGiven = other === 'endpoint' ? args.endpoint === 'raw' : args[other] !== undefined;
      if (args.raw === undefined || !isGiven) continue;
      const secondary = [{ span: places.of('raw'), text: '' }];
      add(other, `\`${other}\` and \`raw\` are mutually exclusive`, { secondary });
    }
    for (const name of ['queue', 'mode', 'endpoint'] as const) checkChoice(name, args[name], add);
    if (args.queue === 'typing' && args.raw !== undefined)
      add('queue', '`queue="typing"` and `raw` are mutually exclusive');
    if (args.endpoint === 'raw' && args.event === undefined && args.raw === undefined)
      add('endpoint', '`endpoint="raw"` needs `event`, the text to send', { hints: ['or give it as `raw=…`'] });
    for (const name of ['parallel', 'max_content_length', 'max_attempts'] as const)
      if (args[name] === 0) add(name, `\`${name}\` must be greater than zero`);
    if (args.parallel !== undefined && args.parallel > PARALLEL_MAX)
      add('parallel', `\`parallel\` must not be greater than ${PARALLEL_MAX}`);
    for (const name of ['buffer_timeout', 'timeout', 'ack_timeout'] as const) {
      const value = args[name];
      if (value !== undefined && value <= 0) add(name, `\`${name}\` must be greater than zero`);
    }
    checkAddress(args.url, args.hec_token, args.tls, add);
    checkTls(args.tls, places, found);
    return found;
  },
  create: (args, context) => makeSplunkSink(args, context, new HttpClient(context.io, tlsOf(args, context))),
});

type SplunkArguments = ArgumentsOf<typeof ARGS>;

/** The sink over the HTTP that is given. */
export function makeSplunkSink(args: SplunkArguments, context: StageContext, http: Http): SplunkSink {
  const url = endpointUrl(reveal(args.url), args.tls);
  if (typeof url === 'string') throw new Error(`to_splunk: ${url}`);
  const endpoint = new Endpoint(
    context.io,
    http,
    {
      url,
      token: reveal(args.hec_token),
      compresses: args.compress,
      hasConstantIndex: args.index === undefined || !readsEvent(args.index),
      timeoutMs: args.timeout,
      ackTimeoutMs: args.ack_timeout,
      parallel: args.parallel,
    },
    kind => context.countError(kind),
  );
  const compile = (expr: Expr | undefined) => expr && context.compile(expr);
  const isRaw = args.endpoint === 'raw';
  return new SplunkSink(
    context,
    {
      contentLengthMax: args.max_content_length,
      bufferTimeoutMs: args.buffer_timeout,
      maxAttempts: args.max_attempts,
    },
    {
      event: isRaw ? undefined : compile(args.event),
      raw: compile(isRaw ? args.event : args.raw),
      host: compile(args.host),
      source: compile(args.source),
      sourcetype: compile(args.sourcetype),
      index: compile(args.index),
      time: compile(args.time),
      fields: compile(args.fields),
      includesNulls: args.include_nulls,
      warn: (_argument, message) => context.warn({ code: hecNotices.badValue, message, span: context.span }),
    },
    endpoint,
    http,
  );
}

type Add = (name: string, message: string, more?: Pick<Diagnostic, 'hints' | 'secondary'>) => void;

/** Values that an argument takes, and those that it will take. */
const CHOICES: Readonly<
  Record<'queue' | 'mode' | 'endpoint', { now: readonly string[]; later?: string; hint?: string }>
> = {
  queue: { now: ['indexing'], later: 'typing', hint: 'leave it out: events go to the indexing queue' },
  mode: { now: ['hec'], later: 's2s', hint: 'leave it out: events go to the HTTP Event Collector' },
  endpoint: { now: ['event', 'raw'] },
};

function checkChoice(name: keyof typeof CHOICES, value: string | undefined, add: Add): void {
  const { hint, later, now } = CHOICES[name];
  if (value === undefined || now.includes(value)) return;
  if (value === later) {
    add(name, `\`${name}="${later}"\` is not implemented in this version`, {
      ...(hint !== undefined && { hints: [hint] }),
    });
    return;
  }
  const known = [...now, ...(later === undefined ? [] : [later])].map(choice => `"${choice}"`).join(' or ');
  add(name, `\`${name}\` must be ${known}`);
}

function checkAddress(
  url: SecretText | undefined,
  token: SecretText | undefined,
  tls: Value | undefined,
  add: Add,
): void {
  if (url !== undefined) {
    const found = endpointUrl(reveal(url), tls);
    if (typeof found === 'string') add('url', url instanceof Secret ? 'the secret is no URL of a collector' : found);
  }
  if (token === undefined) return;
  const text = reveal(token);
  if (text === '') add('hec_token', '`hec_token` must not be empty');
  else if (/[^\x21-\x7e]/.test(text))
    add('hec_token', '`hec_token` must not have blanks or other characters that no header takes');
}

function checkTls(tls: Value | undefined, places: ArgumentPlaces, found: Diagnostic[]): void {
  if (tls === undefined || tls === null || typeof tls === 'boolean') return;
  const add = (key: string | undefined, message: string): void => {
    const span = key === undefined ? places.of('tls') : places.ofKey('tls', key);
    found.push({ code: hecNotices.badArgument, severity: 'error', message, span });
  };
  if (!(tls instanceof RecordValue)) {
    add(undefined, '`tls` must be a record or a bool');
    return;
  }
  for (const [key, value] of tls.entries()) {
    if (TLS_SERVER_KEYS.includes(key)) add(key, `\`${key}\` in \`tls\` is for servers only`);
    else if (!TLS_KEYS.includes(key)) add(key, `unknown key \`${key}\` in \`tls\``);
    else if (key === 'min_version' && !TLS_VERSIONS.includes(value as string))
      add(key, '`min_version` in `tls` must be "1.0", "1.1", "1.2" or "1.3"');
    else if (TLS_TEXTS.includes(key) && typeof value !== 'string') add(key, `\`${key}\` in \`tls\` must be a string`);
    else if (key === 'skip_peer_verification' && typeof value !== 'boolean')
      add(key, '`skip_peer_verification` in `tls` must be a bool');
  }
}

function readsEvent(expr: Expr): boolean {
  let reads = false;
  walkExpr(expr, inner => {
    reads ||= inner.kind === 'field' || inner.kind === 'this' || inner.kind === 'meta' || inner.kind === 'move';
  });
  return reads;
}

function reveal(text: SecretText): string {
  return text instanceof Secret ? text.reveal() : text;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const PORT = '8088';
/** Users paste the whole address; the rest of it is added again. */
const PATH = /\/services\/collector(?:\/(?:event|raw)(?:\/1\.0)?)?\/*$/;

/**
 * `https://host:8088`, `host:8088` and bare names; TLS unless `http:` or `tls=false` is written. What is wrong with it, as a
 * sentence, otherwise.
 */
export function endpointUrl(text: string, tls: Value | undefined): URL | string {
  const hasScheme = SCHEME.test(text);
  const full = hasScheme ? text : `${tls === false ? 'http' : 'https'}://${text}`;
  if (text.trim() === '' || !URL.canParse(full)) return `\`${text}\` is no URL of a collector`;
  const url = new URL(full);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `\`${text}\` is no URL of a collector`;
  if (url.username !== '' || url.password !== '')
    return 'the URL must not have a user: the token is all that is needed';
  if (url.protocol === 'https:' && tls === false) return '`tls=false` and `https:` do not go together';
  if (url.protocol === 'http:' && (tls === true || tls instanceof RecordValue))
    return '`tls` and `http:` do not go together';
  if (url.port === '' && !hasScheme) url.port = PORT;
  url.pathname = url.pathname.replace(PATH, '/');
  return url;
}

function tlsOf(
  args: {
    readonly tls: Value | undefined;
    readonly tls_no_verify: boolean;
    readonly cacert: string | undefined;
    readonly certfile: string | undefined;
    readonly keyfile: string | undefined;
  },
  context: StageContext,
): HttpTls {
  const record = args.tls instanceof RecordValue ? args.tls : undefined;
  const text = (name: string): string | undefined => {
    const value = record?.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const file = (name: 'cacert' | 'certfile' | 'keyfile'): string | undefined => {
    const path = args[name] ?? text(name);
    return path === undefined ? undefined : Buffer.from(context.io.files.readFile(path)).toString();
  };
  const ca = file('cacert');
  const cert = file('certfile');
  const key = file('keyfile');
  const minVersion = text('min_version');
  const ciphers = text('ciphers');
  return {
    verify: !args.tls_no_verify && record?.get('skip_peer_verification') !== true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(minVersion !== undefined && { minVersion }),
    ...(ciphers !== undefined && { ciphers }),
  };
}
