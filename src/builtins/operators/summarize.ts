/** `summarize`: groups and aggregates, at the end, each so many events, or each so much time. */
import type { Diagnostic } from '../../base/index.ts';
import { Duration, type Value } from '../../data/index.ts';
import { type ArgumentPlaces, defineOperator, type Emission, s } from '../../sdk/index.ts';
import { operatorNotices } from './errors.ts';

const KEYS = ['emit', 'mode', 'output', 'limit'];
const LEAST_MS = 10;
/** Groups of a few values each take some hundred bytes: about half a gigabyte. */
const LIMIT = 1_000_000;

type Options = ReadonlyMap<string, Value>;
type Boundary = Emission['boundary'];

/** Undefined for what is none. */
function boundaryOf(emit: Value | undefined): Boundary | undefined {
  if (emit === undefined || emit === 'final') return { kind: 'final' };
  if (typeof emit === 'bigint') return emit > 0n ? { kind: 'events', every: Number(emit) } : undefined;
  return emit instanceof Duration && emit.ms >= LEAST_MS ? { kind: 'timer', every: emit.ms } : undefined;
}

const OUTPUT_OF: Readonly<Record<Boundary['kind'], readonly Emission['output'][]>> = {
  final: ['summary', 'events'],
  events: ['trigger'],
  timer: ['summary'],
};
const BOUNDARY_NAMES: Readonly<Record<Boundary['kind'], string>> = {
  final: 'the end of the input',
  events: 'a number of events',
  timer: 'an interval',
};

/** `mode` alone means every event. */
function withDefaults(options: Options): Options {
  const isShort = options.has('mode') && !options.has('emit') && !options.has('output');
  return isShort ? new Map([...options, ['emit', 1n]]) : options;
}

function emissionOf(given: Options): Emission {
  const options = withDefaults(given);
  const boundary = boundaryOf(options.get('emit'))!;
  return {
    boundary,
    resets: options.get('mode') === 'reset',
    output: (options.get('output') as Emission['output'] | undefined) ?? OUTPUT_OF[boundary.kind][0]!,
    limit: Number(options.get('limit') ?? LIMIT),
  };
}

function check(given: Options, places: ArgumentPlaces): readonly Diagnostic[] {
  const options = withDefaults(given);
  const found: Diagnostic[] = [];
  const report = (code: keyof typeof operatorNotices, key: string, message: string): void => {
    found.push({ code: operatorNotices[code], severity: 'error', message, span: places.ofKey('options', key) });
  };
  for (const key of given.keys())
    if (!KEYS.includes(key))
      report(
        'unknownOption',
        key,
        `\`options\` has no \`${key}\`; there are ${KEYS.map(name => `\`${name}\``).join(', ')}`,
      );
  const boundary = boundaryOf(options.get('emit'));
  if (!boundary) report('wrongEmission', 'emit', '`emit` is a positive int, a duration of at least 10ms, or "final"');
  const mode = options.get('mode');
  if (mode !== undefined && mode !== 'reset' && mode !== 'cumulative')
    report('wrongEmission', 'mode', '`mode` is "reset" or "cumulative"');
  if (mode === undefined && boundary && boundary.kind !== 'final')
    report(
      'wrongEmission',
      'emit',
      `\`emit\` by ${BOUNDARY_NAMES[boundary.kind]} needs a \`mode\`: "reset" or "cumulative"`,
    );
  const output = options.get('output');
  if (output !== undefined && boundary && !OUTPUT_OF[boundary.kind].includes(output as Emission['output'])) {
    const possible = OUTPUT_OF[boundary.kind].map(name => `"${name}"`).join(' or ');
    report('wrongEmission', 'output', `\`output\` at ${BOUNDARY_NAMES[boundary.kind]} is ${possible}`);
  }
  const limit = options.get('limit');
  if (limit !== undefined && !(typeof limit === 'bigint' && limit > 0n && limit <= 2n ** 31n))
    report('wrongEmission', 'limit', '`limit` is a positive int');
  return found;
}

export default defineOperator({
  name: 'summarize',
  summary: 'Groups events and gives one event for each group with aggregates over its events.',
  input: ['events'],
  output: 'events',
  args: {
    summary: s.groupsAndAggregates('Group fields and aggregation functions.').positional(),
    options: s
      .record(
        'When results are given and of what: `emit` ("final", a number of events, or a duration), `mode` ("reset" or "cumulative"), ' +
          '`output` ("summary", "trigger" or "events"), and `limit`: how many groups, and with "events" also events, are kept. ' +
          '`mode` alone gives every event with running values.',
      )
      .default(new Map()),
  },
  examples: [
    {
      tql: 'from {g: "a", x: 1}, {g: "b", x: 2}, {g: "a", x: 5}\nsummarize g, n=count(), s=sum(x)',
      out: ['{"g":"a","n":2,"s":6}', '{"g":"b","n":1,"s":2}'],
    },
    {
      tql: 'from {g: "a", x: 1}, {g: "b", x: 2}, {g: "a", x: 5}\nsummarize g, s=sum(x), options={mode: "cumulative"}',
      out: ['{"g":"a","x":1,"s":1}', '{"g":"b","x":2,"s":2}', '{"g":"a","x":5,"s":6}'],
    },
    {
      tql: 'from {g: "a", x: 1}, {g: "b", x: 2}, {g: "a", x: 5}\nsummarize g, s=sum(x), options={output: "events"}',
      out: ['{"g":"a","x":1,"s":6}', '{"g":"b","x":2,"s":2}', '{"g":"a","x":5,"s":6}'],
    },
  ],
  validate: ({ options }, places) => (options ? check(options, places) : []),
  lower: ({ options, summary }) => ({ kind: 'aggregate', ...summary, emission: emissionOf(options) }),
});
