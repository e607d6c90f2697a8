/** Arguments that the four Kafka operators share, and their checks (spec of TQL, section 12). */
import type { Diagnostic, Span } from '../../../base/index.ts';
import { RecordValue, Secret, type Value } from '../../../data/index.ts';
import { type ArgumentPlaces, s } from '../../../sdk/index.ts';

export const sharedArguments = {
  options: s.record('Client properties by librdkafka’s names.').optional(),
  aws_iam: s.record('Authentication with AWS IAM.').optional(),
  aws_region: s.string('Region of the cluster for AWS IAM.').optional(),
};

export const offsetArguments = {
  count: s.uint('Ends after that many messages.').optional(),
  exit: s.bool('Ends when all assigned partitions are at their end.').default(false),
  offset: s
    .value('`beginning`, `end`, `stored`, an offset, -n for n from the end, or `s@<ms>` for a time.')
    .default('stored'),
};

const IAM_KEYS = [
  'region',
  'profile',
  'access_key_id',
  'secret_access_key',
  'session_token',
  'assume_role',
  'session_name',
  'external_id',
  'web_identity',
];

type Record_ = ReadonlyMap<string, Value> | undefined;

function problem(
  code: string,
  message: string,
  span: Span,
  notes: readonly string[] = [],
  hints: readonly string[] = [],
): Diagnostic {
  return { code, severity: 'error', message, span, notes, hints };
}

export function checkShared(
  args: { readonly options?: Record_; readonly aws_iam?: Record_; readonly aws_region?: string | undefined },
  places: ArgumentPlaces,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [name, value] of args.options ?? []) {
    const place = places.ofKey('options', name);
    if (name === 'enable.auto.commit') {
      found.push(
        problem('MR7201', '`enable.auto.commit` must not be specified', place, [
          '`enable.auto.commit` is enforced to be `false`',
        ]),
      );
    } else if (optionText(value) === undefined) {
      found.push(
        problem('MR7202', 'options must be a record `{ string: number|string }`', place, [
          `\`${name}\` is neither number, string, bool nor secret`,
        ]),
      );
    }
  }
  if (args.aws_iam) found.push(...checkIam(args.aws_iam, args.aws_region, places));
  return found;
}

function checkIam(iam: ReadonlyMap<string, Value>, region: string | undefined, places: ArgumentPlaces): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [name, value] of iam) {
    const place = places.ofKey('aws_iam', name);
    if (!IAM_KEYS.includes(name))
      found.push(
        problem('MR7203', `unknown key \`${name}\` in \`aws_iam\``, place, [`known are ${IAM_KEYS.join(', ')}`]),
      );
    else if (
      name === 'web_identity'
        ? !(value instanceof RecordValue)
        : typeof value !== 'string' && !(value instanceof Secret)
    ) {
      found.push(problem('MR7204', `\`${name}\` must be a ${name === 'web_identity' ? 'record' : 'string'}`, place));
    } else if (value === '') found.push(problem('MR7205', `\`${name}\` must not be empty`, place));
  }
  if (!iam.has('region') && region === undefined) {
    found.push(problem('MR7206', '`aws_region` is required for Kafka MSK authentication', places.of('aws_iam')));
  }
  if (iam.has('access_key_id') !== iam.has('secret_access_key')) {
    found.push(
      problem('MR7207', '`access_key_id` and `secret_access_key` must be given together', places.of('aws_iam')),
    );
  }
  if (iam.has('session_token') && !iam.has('access_key_id')) {
    found.push(
      problem('MR7208', '`session_token` needs `access_key_id` and `secret_access_key`', places.of('aws_iam')),
    );
  }
  if (found.length === 0) {
    found.push(
      problem(
        'MR7209',
        'authentication with AWS IAM is not implemented in this version',
        places.of('aws_iam'),
        [],
        ['remove `aws_iam` and reach the cluster over a plaintext or TLS listener'],
      ),
    );
  }
  return found;
}

/** The text of a property's value; undefined for a type that no property has. */
export function optionText(value: Value): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint')
    return String(value);
  return value instanceof Secret ? value.reveal() : undefined;
}

/** Options as properties. */
export function propertiesOf(options: Record_): Map<string, string> {
  return new Map([...(options ?? [])].map(([name, value]) => [name, optionText(value) ?? '']));
}

export type StartOffset =
  | { readonly kind: 'stored' | 'beginning' | 'end' }
  | { readonly kind: 'absolute' | 'from_end'; readonly offset: number }
  | { readonly kind: 'time'; readonly ms: number };

export function startOffset(value: Value): StartOffset | undefined {
  if (value === 'stored' || value === 'beginning' || value === 'end') return { kind: value };
  if (typeof value === 'bigint') {
    const offset = Number(value);
    if (!Number.isSafeInteger(offset)) return undefined;
    return offset >= 0 ? { kind: 'absolute', offset } : { kind: 'from_end', offset: -offset };
  }
  const time = typeof value === 'string' ? /^s@(\d+)$/.exec(value) : null;
  return time ? { kind: 'time', ms: Number(time[1]) } : undefined;
}

export function checkOffset(value: Value | undefined, places: ArgumentPlaces): Diagnostic[] {
  if (value === undefined || startOffset(value)) return [];
  return [
    problem('MR7210', 'invalid `offset` value', places.of('offset'), [
      'must be `beginning`, `end`, `stored`, `<offset>`, or `-<offset>`',
    ]),
  ];
}
