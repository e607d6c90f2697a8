/**
 * A source and sinks that a test moves by hand, and the task between them, in simulated time: what is in flight, what waits
 * and what commits can be looked at between any two steps.
 *
 *   feed               the source: `send`, `cut`, `end`
 *   hold "name"        a sink: keeps what it is given until the test settles it
 *   echo               passes events on; throws where a field `fail` is true
 */
import { Arena, assert, type Io, makeArenaMemory, messageOf } from '../base/index.ts';
import { builtins } from '../builtins/index.ts';
import { ByteStore, ChunkBatch, EventBatch, RecordValue, type Value } from '../data/index.ts';
import { Task, type TaskHost, type TaskReport } from '../engine/index.ts';
import { compileTql, printDiagnostic, SourceText } from '../lang/index.ts';
import {
  type Batch,
  type CheckpointStore,
  type Delivery,
  type DeadLetter,
  deadLetterStore,
  defineOperator,
  makeRegistry,
  type OperatorDefinition,
  type Registry,
  type RowFailure,
  s,
  type ServiceToken,
  type Sink,
  type SinkHealth,
  type Source,
  type SourceOutput,
  type StageContext,
  type Transform,
} from '../sdk/index.ts';
import { SimNetwork } from './sim/network.ts';
import { Machine, World } from './sim/world.ts';

export type Fields = Readonly<Record<string, Value>>;

export class Feed implements Source {
  readonly commits: string[] = [];
  readonly restored: (string | undefined)[] = [];
  isStopped = false;
  isClosed = false;
  context: StageContext | undefined;
  private readonly steps: ((out: SourceOutput) => void | Promise<void>)[] = [];
  private wake: () => void = () => undefined;
  private isOver = false;
  private next = 0;

  /** Events as the records of a topic: their origins are `t/0/0`, `t/0/1` … */
  send(...events: readonly Fields[]): void {
    this.push(async out => {
      await this.context?.credits.room();
      const first = this.next;
      this.next += events.length;
      const origins = {
        describe: (row: number) => `t/0/${first + row}`,
        key: (row: number) => Buffer.from(`k${first + row}`),
        headers: () => [['h', Buffer.from('v')] as const],
        value: (row: number) => Buffer.from(`original ${first + row}`),
        meta: (row: number, name: string) => (name === 'offset' ? BigInt(first + row) : undefined),
      };
      const store = new ByteStore({
        bytes: new Uint8Array(0),
        spans: new Uint32Array(events.length * 2),
        count: events.length,
        origins,
        ...(this.context && { owners: [this.context.credits.take(events.length)] }),
      });
      const chunks = ChunkBatch.of(store);
      const batch = EventBatch.fromRecords(
        events.map(fields => new RecordValue(Object.entries(fields))),
        'test',
        chunks,
      );
      chunks.release();
      await out.emit(batch);
      batch.release();
    });
  }

  cut(positions: string, options: { readonly urgent?: boolean } = {}): void {
    this.push(out => out.cutEpoch(positions, options));
  }

  watermark(timeMs: number): void {
    this.push(out => out.watermark(timeMs));
  }

  end(): void {
    this.isOver = true;
    this.wake();
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    this.restored.push(positions);
    for (;;) {
      const step = this.steps.shift();
      if (this.isStopped) return;
      if (step) await step(out);
      else if (this.isOver) return;
      else {
        await new Promise<void>(resolve => {
          this.wake = resolve;
        });
      }
    }
  }

  stop(): void {
    this.isStopped = true;
    this.wake();
  }

  commit(positions: string): Promise<void> {
    this.commits.push(positions);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  private push(step: (out: SourceOutput) => void | Promise<void>): void {
    this.steps.push(step);
    this.wake();
  }
}

/** What a sink was given with one `write`. */
export class Held {
  readonly batch: Batch;
  readonly delivery: Delivery;
  readonly texts: readonly string[];

  constructor(batch: Batch, delivery: Delivery) {
    this.batch = batch;
    this.delivery = delivery;
    this.texts = Array.from({ length: batch.count }, (_, row) => batch.textOf(row));
  }

  deliver(): void {
    this.delivery.delivered(this.batch.count);
  }

  refuse(row: number, failure: RowFailure = { code: 'MR0', message: 'no' }): void {
    this.delivery.deadLetter(row, failure);
  }

  giveBack(rows: readonly number[] = Array.from({ length: this.batch.count }, (_, row) => row)): void {
    this.delivery.returnRows(rows);
  }
}

export class HoldSink implements Sink {
  readonly endpoint: string;
  readonly writes: Held[] = [];
  /** Settles what it is given at once. */
  isOpen = false;
  isUp = true;
  flushes = 0;
  isClosed = false;
  isAborted = false;
  failure: Error | undefined;
  private waiters: (() => void)[] = [];

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  write(batch: Batch, delivery: Delivery): void {
    if (this.failure) throw this.failure;
    const held = new Held(batch, delivery);
    this.writes.push(held);
    if (this.isOpen) held.deliver();
  }

  get texts(): readonly string[] {
    return this.writes.flatMap(({ texts }) => texts);
  }

  ready(): void | Promise<void> {
    if (this.isUp) return;
    return new Promise(resolve => this.waiters.push(resolve));
  }

  up(): void {
    this.isUp = true;
    for (const wake of this.waiters.splice(0)) wake();
  }

  flush(): void {
    this.flushes++;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  abort(): void {
    this.isAborted = true;
  }

  health(): SinkHealth {
    return { isUp: this.isUp };
  }
}

const echo: Transform = {
  process: (batch, out) => {
    const events = batch as EventBatch;
    for (let row = 0; row < events.count; row++)
      if (events.record(row).get('fail') === true) throw new Error('echo: an event said so');
    return out.emit(batch);
  },
};

export interface Stand {
  readonly world: World;
  readonly io: Io;
  readonly arena: Arena;
  readonly registry: Registry;
  readonly feed: Feed;
  readonly task: Task;
  readonly letters: DeadLetter[];
  readonly warnings: string[];
  /** All sinks of the name that were made so far; one for each body of a balance. */
  sinks(name: string): readonly HoldSink[];
  sink(name: string): HoldSink;
  /** Lets time pass. */
  pass(ms?: number): Promise<void>;
  report(): TaskReport;
  line(stage: string): TaskReport['ledger'][number];
}

export async function standOf(
  text: string,
  options: Partial<Pick<TaskHost, 'onError' | 'bytesMax' | 'checkpoints'>> & {
    readonly checkpoints?: CheckpointStore;
    readonly deadLetters?: { write(letters: readonly DeadLetter[]): Promise<void> };
    readonly operators?: readonly OperatorDefinition[];
    readonly services?: ReadonlyMap<string, unknown>;
  } = {},
): Promise<Stand> {
  const world = new World(7);
  const io = new Machine(world).io(new SimNetwork(world).of);
  const feed = new Feed();
  const sinks = new Map<string, HoldSink[]>();
  const own = makeRegistry({
    operators: [
      defineOperator({
        name: 'feed',
        summary: 'Moved by hand.',
        input: ['void'],
        output: 'events',
        args: {},
        create: (_args, context) => {
          feed.context = context;
          return feed;
        },
      }),
      defineOperator({
        name: 'hold',
        summary: 'Settled by hand.',
        input: ['events', 'bytes'],
        output: 'void',
        args: { name: s.string('The name.').positional() },
        create: ({ name }) => {
          const sink = new HoldSink(name);
          sinks.set(name, [...(sinks.get(name) ?? []), sink]);
          return sink;
        },
      }),
      defineOperator({
        name: 'echo',
        summary: 'Passes events on.',
        input: ['events'],
        output: 'events',
        args: {},
        traits: { isRowwise: true },
        create: () => echo,
      }),
    ],
    functions: [],
    aggregates: [],
  });
  const more = (options.operators ?? []).map(definition => [definition.name, definition] as const);
  const registry: Registry = { ...builtins, operators: new Map([...builtins.operators, ...own.operators, ...more]) };
  const source = new SourceText('<stand>', text);
  const { diagnostics, plan } = compileTql(source, registry, { id: 'stand', hasImplicitEnds: false });
  assert(diagnostics.length === 0, diagnostics.map(diagnostic => printDiagnostic(diagnostic, source)).join('\n'));
  const letters: DeadLetter[] = [];
  const warnings: string[] = [];
  const store = options.deadLetters ?? {
    write: (more: readonly DeadLetter[]) => Promise.resolve(void letters.push(...more)),
  };
  const arena = new Arena(makeArenaMemory(32 * 1024 * 1024));
  const { bytesMax, checkpoints, onError } = options;
  const task = new Task(plan, {
    io,
    arena,
    registry,
    service: <T>(token: ServiceToken<T>) =>
      (token.name === deadLetterStore.name ? store : options.services?.get(token.name)) as T | undefined,
    warn: ({ message }) => warnings.push(message),
    ...(checkpoints && { checkpoints }),
    ...(onError && { onError }),
    ...(bytesMax !== undefined && { bytesMax }),
  });
  // Promises that no event of the world is waiting for: what the test has just said, and what came of it.
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve));
  };
  const pass = async (ms = 0): Promise<void> => {
    await settle();
    await world.run(world.time + ms);
    await settle();
  };
  const sinksOf = (name: string): readonly HoldSink[] => sinks.get(name) ?? [];
  const stand: Stand = {
    world,
    io,
    arena,
    registry,
    feed,
    task,
    letters,
    warnings,
    sinks: sinksOf,
    sink: name => {
      const sink = sinksOf(name).at(-1);
      assert(sink !== undefined, `no sink ${name}`);
      return sink;
    },
    pass,
    report: () => task.report(),
    line: stage => {
      const line = task.report().ledger.find(({ stageId }) => stageId === stage);
      assert(line !== undefined, `no line ${stage}`);
      return line;
    },
  };
  try {
    await task.start();
  } catch (error) {
    throw new Error(messageOf(error), { cause: error });
  }
  await pass();
  return stand;
}
