/** `millrace consume`: records of a topic on standard output. */
import { BadValue, defineCommand, wholeNumber } from '../command.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { data } from '../output.ts';
import { onStopSignal } from '../signals.ts';

interface Options extends KafkaOptions {
  readonly from?: number;
  readonly count?: number;
  readonly exit?: boolean;
  readonly output: 'value' | 'ndjson';
}

/** The client's words for the first and the last offset. */
const PLACES: Readonly<Record<string, number>> = { beginning: -2, end: -3 };

export default defineCommand<Options>({
  name: 'consume',
  summary: 'records of a topic on standard output',
  arguments: [['<topic>', 'topic']],
  flags: [
    ...kafkaFlags,
    {
      flags: '--from <where>',
      text: 'beginning, end or an offset (default: beginning)',
      parse: text => {
        if (text in PLACES) return PLACES[text];
        if (/^\d{1,15}$/.test(text)) return Number(text);
        throw new BadValue('must be beginning, end or an offset');
      },
    },
    { flags: '-n, --count <n>', text: 'end after that many records', parse: wholeNumber(0) },
    { flags: '-e, --exit', text: 'end at the end of the topic' },
    {
      flags: '-o, --output <form>',
      text: 'values as they are, or records as JSON with partition, offset, time and key',
      choices: ['value', 'ndjson'],
      default: 'value',
    },
  ],
  examples: [
    'millrace consume sign-ins -n 5',
    'millrace consume sign-ins --from end -o ndjson',
    'millrace consume sign-ins -e | wc -l',
  ],
  run: ([topic]: readonly [string], options) =>
    withCluster(options, async cluster => {
      const [{ Consumer }, { RecordCursor }] = await Promise.all([
        import('../../client/index.ts'),
        import('../../wire/records/index.ts'),
      ]);
      const { leaders } = await cluster.topic(topic);
      const consumer = new Consumer(cluster);
      consumer.assign(
        leaders.map((_leader, partition) => ({ topic, partition, offset: options.from ?? PLACES['beginning']! })),
      );
      const limit = options.count ?? Number.POSITIVE_INFINITY;
      let shown = 0;
      let isStopped = false;
      onStopSignal(() => {
        isStopped = true;
      });
      const cursor = new RecordCursor();
      const text = (bytes: Uint8Array | null): string | null =>
        bytes === null ? null : Buffer.from(bytes).toString('utf8');
      while (!isStopped && shown < limit) {
        const fetched = await consumer.poll();
        let lines = '';
        for (const { batches, fromOffset, partition } of fetched) {
          for (const batch of batches) {
            cursor.open(batch);
            while (shown < limit && cursor.advance()) {
              if (cursor.offset < fromOffset) continue;
              const value = text(cursor.value);
              const record = { partition, offset: cursor.offset, time: cursor.timestamp, key: text(cursor.key), value };
              lines += `${options.output === 'value' ? (value ?? '') : JSON.stringify(record)}\n`;
              shown++;
            }
          }
        }
        if (lines !== '') data(lines);
        if (options.exit && fetched.length === 0 && consumer.isAtEnd) break;
      }
    }),
});
