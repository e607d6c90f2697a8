/** `millrace produce`: one record for each line of standard input, acknowledged. */
import { defineCommand } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { note } from '../output.ts';

interface Options extends KafkaOptions {
  readonly keySeparator?: string;
}

export default defineCommand<Options>({
  name: 'produce',
  summary: 'one record for each line of standard input',
  arguments: [['<topic>', 'topic; the broker may create it']],
  flags: [...kafkaFlags, { flags: '-k, --key-separator <text>', text: 'text between key and value of a line' }],
  examples: [
    'echo \'{"severity_id": 5}\' | millrace produce ocsf-events',
    "printf 'user-1:login\\nuser-2:logout\\n' | millrace produce sessions -k :",
  ],
  run: ([topic]: readonly [string], options) =>
    withCluster(options, async cluster => {
      const [{ Producer }, { createInterface }] = await Promise.all([
        import('../../client/index.ts'),
        import('node:readline'),
      ]);
      const producer = new Producer(cluster);
      await producer.prepare(topic);
      let sent = 0;
      let acknowledged = 0;
      let failure: Error | undefined;
      const done = (tags: readonly number[], error: Error | undefined): void => {
        if (error) failure ??= error;
        else acknowledged += tags.length;
      };
      for await (const line of createInterface({ input: process.stdin })) {
        const [key, value] = keyAndValue(line, options.keySeparator);
        sent++;
        const hasRoom = producer.append(topic, undefined, { key, value }, done);
        if (!hasRoom) await new Promise<void>(resolve => producer.whenWritable(resolve));
        if (failure) break;
      }
      await producer.close();
      if (failure && acknowledged === 0) throw failure;
      if (failure) {
        const reason = failure.message;
        throw cliErrors.somethingFailed({ failed: sent - acknowledged, all: sent, what: 'records', reason }, failure);
      }
      note(`${acknowledged} records acknowledged`);
    }),
});

function keyAndValue(line: string, separator: string | undefined): readonly [Buffer | null, Buffer] {
  const at = separator === undefined ? -1 : line.indexOf(separator);
  if (at < 0) return [null, Buffer.from(line)];
  return [Buffer.from(line.slice(0, at)), Buffer.from(line.slice(at + separator!.length))];
}
