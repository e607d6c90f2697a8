/** `from_stdin`, `load_stdin`, `to_stdout`, `save_stdout`: the process's own streams. */
import { ChunkBatch } from '../../../data/index.ts';
import {
  type Batch,
  type Delivery,
  defineOperator,
  type Sink,
  type Source,
  type SourceOutput,
  type StageContext,
  type StandardStreams,
  standardStreams,
} from '../../../sdk/index.ts';

function streamsOf(context: StageContext): StandardStreams {
  const streams = context.service(standardStreams);
  if (!streams) throw new Error('standard input and output belong to pipelines that are run from the command line');
  return streams;
}

class StdinSource implements Source {
  private readonly streams: StandardStreams;
  private readonly stopped = Promise.withResolvers<undefined>();
  private isStopped = false;

  constructor(streams: StandardStreams) {
    this.streams = streams;
  }

  async run(out: SourceOutput): Promise<void> {
    for (;;) {
      // Nobody may ever write to it: what a read that is under way still gives stays unread.
      const chunk = this.isStopped ? undefined : await Promise.race([this.streams.read(), this.stopped.promise]);
      if (!chunk) break;
      const batch = ChunkBatch.fromChunks([chunk]);
      await out.emit(batch);
      batch.release();
    }
    await out.cutEpoch('end');
  }

  stop(): void {
    this.isStopped = true;
    this.stopped.resolve(undefined);
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }
}

class StdoutSink implements Sink {
  private readonly streams: StandardStreams;

  constructor(streams: StandardStreams) {
    this.streams = streams;
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const chunks = batch as ChunkBatch;
    const pieces = Array.from({ length: chunks.count }, (_, row) => chunks.bytesOf(row));
    await this.streams.write(Buffer.concat(pieces));
    delivery.delivered(chunks.count);
  }

  flush(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export const fromStdin = defineOperator({
  name: 'from_stdin',
  aliases: ['load_stdin'],
  summary: 'Reads bytes from standard input, or events when a body reads them.',
  input: ['void'],
  output: 'bytes',
  args: {},
  body: { place: 'behind' },
  create: (_args, context) => new StdinSource(streamsOf(context)),
});

export const saveStdout = defineOperator({
  name: 'save_stdout',
  summary: 'Writes bytes to standard output.',
  input: ['bytes'],
  output: 'void',
  args: {},
  create: (_args, context) => new StdoutSink(streamsOf(context)),
});

export const toStdout = defineOperator({
  name: 'to_stdout',
  summary: 'Writes events to standard output, as a body prints them or in the form of the language.',
  input: ['bytes'],
  output: 'void',
  args: {},
  body: { place: 'before', default: 'write_tql' },
  create: (_args, context) => new StdoutSink(streamsOf(context)),
});
