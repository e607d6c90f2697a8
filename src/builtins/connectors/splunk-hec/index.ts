/** `to_splunk`: arguments, their checks, and how the sink is put together (spec of TQL, section 13). */
import type { Diagnostic } from '../../../base/index.ts';
import { RecordValue, Secret, type Value } from '../../../data/index.ts';
import { defineOperator, s, type SecretText, type StageContext } from '../../../sdk/index.ts';
import { Endpoint } from './endpoint.ts';
import { HttpClient, type HttpTls } from './http.ts';
import { SplunkSink } from './sink.ts';

const TLS_KEYS = ['skip_peer_verification', 'cacert', 'certfile', 'keyfile', 'min_version', 'ciphers'];
const TLS_SERVER_KEYS = ['client_ca', 'require_client_cert'];
const TLS_VERSIONS = ['1.0', '1.1', '1.2', '1.3'];

export const toSplunk = defineOperator({
  name: 'to_splunk',
  summary: 'Sends events to a Splunk HTTP Event Collector, with retries and acknowledgements.',
  input: ['events'],
  output: 'void',
  args: {
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
    include_nulls: s.bool('Keep null fields in the event.').default(false),
    max_content_length: s.uint('Bytes of a request before compression, at most.').default(5 * 1024 * 1024),
    buffer_timeout: s.duration('How long an incomplete request waits.').default(5_000),
    compress: s.bool('Compress requests with gzip.').default(true),
    parallel: s.uint('Requests in flight: 1.').default(1),
    mode: s.string('Protocol: `hec`.').default('hec'),
    endpoint: s.string('Endpoint: `event`; for the raw one give `raw`.').default('event'),
    tls: s.value('TLS settings: a record, or false to accept any certificate.').optional(),
    tls_no_verify: s.bool('Accept any certificate.').default(false),
    cacert: s.string('PEM file with the authorities to trust.').optional(),
    certfile: s.string('PEM file with the client’s certificate.').optional(),
    keyfile: s.string('PEM file with the client’s key.').optional(),
  },
  validate: (args, places) => {
    const found: Diagnostic[] = [];
    const add = (name: string, message: string, more: Pick<Diagnostic, 'hints' | 'secondary'> = {}): void => {
      found.push({ code: 'MR7403', severity: 'error', message, span: places.of(name), ...more });
    };
    for (const other of ['event', 'fields'] as const) {
      if (args.raw === undefined || args[other] === undefined) continue;
      const secondary = [{ span: places.of('raw'), text: '' }];
      add(other, `\`${other}\` and \`raw\` are mutually exclusive`, { secondary });
    }
    for (const [name, known, later] of CHOICES) {
      const value = args[name];
      if (value === undefined || value === known) continue;
      if (value === later)
        add(name, `\`${name}="${later}"\` is not implemented in this version`, { hints: HINTS[name] });
      else add(name, `\`${name}\` must be "${known}" or "${later}"`);
    }
    if (args.parallel === 0) add('parallel', '`parallel` must be greater than zero');
    if (args.parallel !== undefined && args.parallel > 1)
      add('parallel', '`parallel` greater than 1 is not implemented in this version', {
        hints: ['`load_balance` sends to several endpoints at once'],
      });
    if (args.max_content_length !== undefined && args.max_content_length <= 0)
      add('max_content_length', '`max_content_length` must be greater than zero');
    if (args.buffer_timeout !== undefined && args.buffer_timeout <= 0)
      add('buffer_timeout', '`buffer_timeout` must be greater than zero');
    if (typeof args.url === 'string' && !endpointUrl(args.url)) add('url', `\`${args.url}\` is no URL of a collector`);
    if (args.tls instanceof RecordValue) {
      for (const [key, value] of args.tls.entries()) {
        const isServers = TLS_SERVER_KEYS.includes(key);
        if (isServers) add('tls', `\`${key}\` in \`tls\` is for servers only`);
        else if (!TLS_KEYS.includes(key)) add('tls', `unknown key \`${key}\` in \`tls\``);
        else if (key === 'min_version' && !TLS_VERSIONS.includes(value as string))
          add('tls', '`min_version` in `tls` must be "1.0", "1.1", "1.2" or "1.3"');
      }
    } else if (args.tls !== undefined && args.tls !== null && typeof args.tls !== 'boolean')
      add('tls', '`tls` must be a record or a bool');
    return found;
  },
  create: (args, context) => {
    const url = endpointUrl(reveal(args.url));
    if (!url) throw new Error(`to_splunk: the url is none of a collector`);
    const http = new HttpClient(tlsOf(args, context));
    const endpoint = new Endpoint({
      io: context.io,
      http,
      url,
      token: () => reveal(args.hec_token),
      compresses: args.compress,
      hasConstantIndex: args.index === undefined || args.index.kind === 'constant',
    });
    const compile = (expr: Parameters<StageContext['compile']>[0] | undefined) => expr && context.compile(expr);
    return new SplunkSink(
      context,
      { contentLengthMax: args.max_content_length, bufferTimeoutMs: args.buffer_timeout },
      {
        event: compile(args.event),
        raw: compile(args.raw),
        host: compile(args.host),
        source: compile(args.source),
        sourcetype: compile(args.sourcetype),
        index: compile(args.index),
        time: compile(args.time),
        fields: compile(args.fields),
        includesNulls: args.include_nulls,
        warn: (_argument, message) => context.warn({ code: 'MR7404', message, span: context.span }),
      },
      endpoint,
      http,
    );
  },
});

/** Arguments with one value that works and one that does not yet. */
const CHOICES = [
  ['queue', 'indexing', 'typing'],
  ['mode', 'hec', 's2s'],
  ['endpoint', 'event', 'raw'],
] as const;

const HINTS = {
  queue: ['leave it out: events go to the indexing queue'],
  mode: ['leave it out: events go to the HTTP Event Collector'],
  endpoint: ['give the text to send: `raw=…`'],
};

function reveal(text: SecretText): string {
  return text instanceof Secret ? text.reveal() : text;
}

/** `https://host:8088`, `host:8088` and bare names; TLS unless `http:` is written. */
function endpointUrl(text: string): URL | undefined {
  const full = /^[a-z]+:\/\//.test(text) ? text : `https://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  if (url.port === '' && !/^[a-z]+:\/\//.test(text)) url.port = '8088';
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
  const text = (name: string, direct: string | undefined): string | undefined => {
    const value = record?.get(name);
    const path = direct ?? (typeof value === 'string' ? value : undefined);
    return path === undefined ? undefined : Buffer.from(context.io.files.readFile(path)).toString();
  };
  const minVersion = record?.get('min_version');
  const ciphers = record?.get('ciphers');
  const ca = text('cacert', args.cacert);
  const cert = text('certfile', args.certfile);
  const key = text('keyfile', args.keyfile);
  return {
    verify: !args.tls_no_verify && args.tls !== false && record?.get('skip_peer_verification') !== true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(typeof minVersion === 'string' && { minVersion }),
    ...(typeof ciphers === 'string' && { ciphers }),
  };
}
