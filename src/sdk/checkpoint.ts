/**
 * Where a pipeline's progress is kept: positions of its source and the states of its stateful stages, saved together
 * when an epoch is confirmed. The embedded log keeps them in a state table; an existing Kafka cluster will keep them in
 * topics; a run from the command line keeps none.
 */
export interface Checkpoint {
  readonly epoch: number;
  readonly positions: string;
  /** By stage id. */
  readonly states: Readonly<Record<string, string>>;
}

export interface CheckpointStore {
  load(pipelineId: string): Promise<Checkpoint | undefined>;
  /** Resolves when durable. */
  save(pipelineId: string, checkpoint: Checkpoint): Promise<void>;
}
