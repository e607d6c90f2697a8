/**
 * What members of classic consumer groups say to each other, as far as the coordinator must read and write it when both
 * protocols meet in one group. The layouts belong to the wire: the process gives them in.
 */
export interface ClassicSubscription {
  readonly topics: readonly string[];
  /** By topic name. */
  readonly owned: readonly (readonly [topic: string, partition: number])[];
  readonly rackId: string | null;
}

export interface MemberFormats {
  /** Undefined for what cannot be read. */
  subscription(metadata: Uint8Array): ClassicSubscription | undefined;
  assignment(bytes: Uint8Array): readonly (readonly [topic: string, partition: number])[] | undefined;
  writeAssignment(partitions: readonly (readonly [topic: string, partition: number])[]): Uint8Array;
}
