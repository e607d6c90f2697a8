/**
 * Pipelines that read the input: to a topic, as members of one group; to a collector outside; in the broker's process from
 * the embedded log into it. Each is started again when it fails, as a supervisor would do it.
 */
import type { Arena, Io } from '../../src/base/index.ts';
import { builtins } from '../../src/builtins/index.ts';
import { Task } from '../../src/engine/index.ts';
import { compileTql, SourceText } from '../../src/lang/index.ts';
import {
  type CheckpointStore,
  type DeadLetterStore,
  deadLetterStore,
  type Registry,
  type ServiceToken,
} from '../../src/sdk/index.ts';
import { Actor, CLIENT, GROUPS, INPUT, LOCAL, OUTPUT, type Run } from './run.ts';

const GROUP = { 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '500', 'max.poll.interval.ms': '10000' };
const CLIENT_OPTIONS = Object.entries({ ...CLIENT, ...GROUP })
  .map(([name, value]) => `"${name}": "${value}"`)
  .join(', ');
const FROM_CLUSTER = (group: string): string =>
  `let $options = {${CLIENT_OPTIONS}}
from_kafka "${INPUT}", group_id="${group}", commit_timeout=200ms, options=$options`;

export const TEXTS = {
  [GROUPS.copy]: `${FROM_CLUSTER(GROUPS.copy)}
to_kafka "${OUTPUT}", message=message, options=$options`,
  [GROUPS.collect]: `let $urls = ["http://hec-a:8088", "http://hec-b:8088"]
${FROM_CLUSTER(GROUPS.collect)}
load_balance $urls {
  to_splunk $urls, hec_token="t", event=message, compress=false, timeout=2s, ack_timeout=4s, buffer_timeout=100ms, parallel=2
}`,
  [GROUPS.local]: `from_kafka "${INPUT}", commit_timeout=200ms
to_kafka "${LOCAL}", message=message`,
} as const;

export type PipelineId = keyof typeof TEXTS;

export function makeTask(
  run: Run,
  id: PipelineId,
  parts: {
    readonly io: Io;
    readonly arena: Arena;
    readonly registry?: Registry;
    readonly services?: ReadonlyMap<string, unknown>;
    readonly checkpoints?: CheckpointStore;
  },
): Task {
  const { arena, checkpoints, io, registry = builtins, services } = parts;
  const { diagnostics, plan } = compileTql(new SourceText('<sim>', TEXTS[id]), registry, { id, hasImplicitEnds: true });
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (error) throw new Error(error.message);
  const letters: DeadLetterStore = { write: list => Promise.resolve(run.checks.letters(list)) };
  const service = (name: string): unknown => (name === deadLetterStore.name ? letters : services?.get(name));
  return new Task(plan, {
    io,
    arena,
    registry,
    service: <T>(token: ServiceToken<T>) => service(token.name) as T | undefined,
    ...(checkpoints && { checkpoints }),
    warn: () => undefined,
  });
}

/** A pipeline in a machine of its own. */
export class PipelineActor extends Actor {
  private readonly id: PipelineId;
  private readonly registryFor: (io: Io) => Registry;
  private task: Task | undefined;

  constructor(run: Run, name: string, id: PipelineId, registryFor: (io: Io) => Registry = () => builtins) {
    super(run, name);
    this.id = id;
    this.registryFor = registryFor;
  }

  /** What its group has committed tells. */
  get isDone(): boolean {
    return true;
  }

  protected begin(io: Io): void {
    const task = makeTask(this.run, this.id, { io, arena: this.arena, registry: this.registryFor(io) });
    this.task = task;
    const failed = (): void => {
      if (task !== this.task) return;
      this.run.note('pipeline failed');
      this.again(500);
    };
    task.finished.catch(failed);
    task.start().catch(failed);
  }

  protected async close(): Promise<void> {
    this.task?.drain();
    await this.task?.finished;
  }

  protected override died(): void {
    this.task = undefined;
  }
}
