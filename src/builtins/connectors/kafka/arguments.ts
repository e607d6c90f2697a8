/** Arguments that the four Kafka operators share, and their checks (spec of TQL, section 12). */
import { type Diagnostic, type Io, MillraceError, type Span } from '../../../base/index.ts';
import {
  type ClientSettings,
  clientSettings,
  isSecretProperty,
  noteOn,
  propertyDefect,
  propertyNames,
} from '../../../client/index.ts';
import { RecordValue, Secret, typeOf, type Value } from '../../../data/index.ts';
import { type ArgumentPlaces, s } from '../../../sdk/index.ts';
import { kafkaNotices } from './errors.ts';

export const sharedArguments = {
  options: s.record('Client properties by librdkafka’s names.').optional(),
  aws_iam: s.record('Authentication with AWS IAM.').optional(),
  aws_region: s.string('Region of the cluster for AWS IAM.').optional(),
};

export const offsetArguments = {
  count: s.uint('Ends after that many messages.').optional(),
  exit: s.bool('Ends when all assigned partitions are at their end.').default(false),
  offset: s
    .value(
      '`beginning`, `end`, `stored`, an offset, -n for n from the end; `s@<ms>` for a time, `e@<ms>` for the time to end at, or both with a comma.',
    )
    .default('stored'),
};

type Options = ReadonlyMap<string, Value> | undefined;

export function problem(
  notice: keyof typeof kafkaNotices,
  message: string,
  span: Span,
  notes: readonly string[] = [],
  hints: readonly string[] = [],
): Diagnostic {
  return { code: kafkaNotices[notice], severity: 'error', message, span, notes, hints };
}

export function checkShared(
  args: { readonly options?: Options; readonly aws_iam?: Options; readonly aws_region?: string | undefined },
  places: ArgumentPlaces,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [name, value] of args.options ?? []) {
    const place = places.ofKey('options', name);
    if (name === 'enable.auto.commit') {
      const note = '`enable.auto.commit` is enforced to be `false`';
      found.push(problem('autoCommit', '`enable.auto.commit` must not be specified', place, [note]));
    } else if (optionText(value) === undefined) {
      const note = `key \`${name}\` is \`${typeOf(value)}\``;
      found.push(problem('badOption', 'options must be a record `{ string: number|string }`', place, [note]));
    } else if (!args.aws_iam || !name.startsWith('sasl.mechanism')) found.push(...checkOption(name, value, place));
  }
  if (args.aws_region === '') found.push(problem('empty', '`aws_region` must not be empty', places.of('aws_region')));
  if (args.aws_iam) found.push(...checkIam(args.aws_iam, args.options, args.aws_region, places));
  return found;
}

function checkOption(name: string, value: Value, place: Span): Diagnostic[] {
  // What a secret is nobody knows before the start.
  const isSecret = value instanceof Secret;
  const text = isSecret ? '' : optionText(value)!;
  const reason = isSecret && propertyNames.includes(name) ? undefined : propertyDefect(name, text);
  if (reason !== undefined) {
    const shown = isSecret || isSecretProperty(name) ? '***' : text;
    return [problem('badProperty', `failed to set librdkafka option ${name}=${shown}: ${reason}`, place)];
  }
  const note = noteOn(name, text);
  if (note === undefined) return [];
  return [{ ...problem('noEffect', `\`${name}\` has no effect`, place, [note]), severity: 'warning' }];
}

/** Keys of `aws_iam`, and whether they may be secrets. */
const IAM_KEYS: Readonly<Record<string, boolean>> = {
  region: false,
  profile: false,
  access_key_id: true,
  secret_access_key: true,
  session_token: true,
  assume_role: false,
  session_name: false,
  external_id: true,
};
const WEB_IDENTITY = 'web_identity';
const WEB_IDENTITY_KEYS = ['token_file', 'token_endpoint', 'token'];
const ENDPOINT_KEYS = ['url', 'headers', 'path'];
const MECHANISMS = ['sasl.mechanism', 'sasl.mechanisms'];

function checkIam(
  iam: ReadonlyMap<string, Value>,
  options: Options,
  region: string | undefined,
  places: ArgumentPlaces,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const whole = places.of('aws_iam');
  for (const [name, value] of iam) {
    const place = places.ofKey('aws_iam', name);
    if (name === WEB_IDENTITY) found.push(...checkWebIdentity(value, place));
    else if (Object.hasOwn(IAM_KEYS, name)) found.push(...checkText(name, value, IAM_KEYS[name]!, place));
    else {
      const known = [...Object.keys(IAM_KEYS), WEB_IDENTITY].join(', ');
      found.push(problem('unknownKey', `unknown key \`${name}\` in \`aws_iam\``, place, [`known are ${known}`]));
    }
  }
  if (!iam.has('region') && region === undefined)
    found.push(problem('noRegion', '`aws_region` is required for Kafka MSK authentication', whole));
  if (iam.has('access_key_id') !== iam.has('secret_access_key'))
    found.push(problem('halfKey', '`access_key_id` and `secret_access_key` must be given together', whole));
  if (iam.has('session_token') && !iam.has('access_key_id'))
    found.push(problem('tokenWithoutKey', '`session_token` needs `access_key_id` and `secret_access_key`', whole));
  if (iam.has(WEB_IDENTITY) && !iam.has('assume_role'))
    found.push(problem('noRole', '`web_identity` needs `assume_role`', places.ofKey('aws_iam', WEB_IDENTITY)));
  for (const name of MECHANISMS) {
    const mechanism = options?.get(name);
    if (mechanism === undefined || mechanism === 'OAUTHBEARER') continue;
    const message =
      typeof mechanism === 'string'
        ? `conflicting \`${name}\`: \`${mechanism}\` but \`aws_iam\` requires \`OAUTHBEARER\``
        : `option \`${name}\` must be \`string\``;
    found.push(problem('otherMechanism', message, places.ofKey('options', name)));
  }
  if (found.length > 0) return found;
  const hint = 'remove `aws_iam` and reach the cluster over a listener with TLS, SCRAM or PLAIN';
  return [problem('noIam', 'authentication with AWS IAM is not implemented in this version', whole, [], [hint])];
}

/** Exactly one of a file, an endpoint and the token itself. */
function checkWebIdentity(value: Value, place: Span): Diagnostic[] {
  if (!(value instanceof RecordValue)) return [problem('wrongType', `\`${WEB_IDENTITY}\` must be a record`, place)];
  const found: Diagnostic[] = [];
  const given = [...value.keys()].filter(name => WEB_IDENTITY_KEYS.includes(name));
  for (const [name, inner] of value.entries()) {
    if (name === 'token_endpoint') found.push(...checkTokenEndpoint(inner, place));
    else if (WEB_IDENTITY_KEYS.includes(name)) found.push(...checkText(name, inner, name === 'token', place));
    else {
      const note = `known are ${WEB_IDENTITY_KEYS.join(', ')}`;
      found.push(problem('unknownKey', `unknown key \`${name}\` in \`${WEB_IDENTITY}\``, place, [note]));
    }
  }
  if (given.length !== 1) {
    const message = `\`${WEB_IDENTITY}\` needs exactly one of \`token_file\`, \`token_endpoint\` and \`token\``;
    found.push(problem('identitySources', message, place));
  }
  return found;
}

function checkTokenEndpoint(value: Value, place: Span): Diagnostic[] {
  if (!(value instanceof RecordValue)) return [problem('wrongType', '`token_endpoint` must be a record', place)];
  const found: Diagnostic[] = [];
  for (const [name, inner] of value.entries()) {
    if (name === 'url') found.push(...checkText('url', inner, false, place));
    else if (name === 'path') {
      if (inner !== null) found.push(...checkText('path', inner, false, place));
    } else if (name !== 'headers') {
      const note = `known are ${ENDPOINT_KEYS.join(', ')}`;
      found.push(problem('unknownKey', `unknown key \`${name}\` in \`token_endpoint\``, place, [note]));
    } else if (!(inner instanceof RecordValue)) found.push(problem('wrongType', '`headers` must be a record', place));
    else for (const [header, text] of inner.entries()) found.push(...checkText(header, text, true, place));
  }
  if (!value.has('url')) found.push(problem('noUrl', '`token_endpoint` needs `url`', place));
  return found;
}

function checkText(name: string, value: Value, mayBeSecret: boolean, place: Span): Diagnostic[] {
  if (mayBeSecret && value instanceof Secret) return [];
  if (typeof value !== 'string') return [problem('wrongType', `\`${name}\` must be a string`, place)];
  return value === '' ? [problem('empty', `\`${name}\` must not be empty`, place)] : [];
}

/** The text of a property's value; undefined for a type that no property has. */
export function optionText(value: Value): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return String(value);
  return value instanceof Secret ? value.reveal() : undefined;
}

/** Options as properties. */
export function propertiesOf(options: Options): Map<string, string> {
  return new Map([...(options ?? [])].map(([name, value]) => [name, optionText(value) ?? '']));
}

/** Settings of a client. An option that is refused is told with its value, a secret one without. */
export function settingsOf(io: Io, options: Options): ClientSettings {
  try {
    return clientSettings(io, propertiesOf(options));
  } catch (error) {
    const isSecret =
      error instanceof MillraceError &&
      [...(options ?? [])].some(([, value]) => value instanceof Secret && value.reveal() === error.details['value']);
    throw isSecret ? new MillraceError(error.row, { ...error.details, value: '***' }) : error;
  }
}

export type StartOffset =
  | { readonly kind: 'stored' | 'beginning' | 'end' }
  | { readonly kind: 'absolute' | 'from_end'; readonly offset: number }
  | { readonly kind: 'time'; readonly ms: number };

export interface ReadRange {
  readonly start: StartOffset;
  /** Records from this time on are not read. */
  readonly endMs: number | undefined;
}

const TIMES = /^(?:s@(\d{1,15}))?(?:(?:^|\s*,\s*)e@(\d{1,15}))?$/;

export function readRange(value: Value): ReadRange | undefined {
  if (value === 'stored' || value === 'beginning' || value === 'end')
    return { start: { kind: value }, endMs: undefined };
  if (typeof value === 'bigint' || (typeof value === 'string' && /^-?\d{1,16}$/.test(value))) {
    const offset = Number(value);
    if (!Number.isSafeInteger(offset)) return undefined;
    const start: StartOffset = offset >= 0 ? { kind: 'absolute', offset } : { kind: 'from_end', offset: -offset };
    return { start, endMs: undefined };
  }
  const times = typeof value === 'string' && value !== '' ? TIMES.exec(value) : null;
  if (!times) return undefined;
  const [, from, to] = times;
  return {
    start: from === undefined ? { kind: 'stored' } : { kind: 'time', ms: Number(from) },
    endMs: to === undefined ? undefined : Number(to),
  };
}

export function checkOffset(value: Value | undefined, places: ArgumentPlaces): Diagnostic[] {
  if (value === undefined || readRange(value)) return [];
  return [
    problem(
      'badOffset',
      'invalid `offset` value',
      places.of('offset'),
      ['must be `beginning`, `end`, `stored`, `<offset>`, or `-<offset>`'],
      ['`s@<ms>` begins at a time, `e@<ms>` ends at one'],
    ),
  ];
}
