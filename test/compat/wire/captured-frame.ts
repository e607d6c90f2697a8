/** A line of `test/corpus/wire/*.jsonl`, and who may judge it. */
import { isJudge, JARS, type JarName, type KafkaMessage, kafkaMessages } from './kafka-schema.ts';

export interface CapturedFrame {
  /** Our name of the API. */
  readonly api: string;
  readonly version: number;
  readonly direction: 'request' | 'response';
  /** Header and body as hex. */
  readonly bytes: string;
  /** Whose JSON converters gave header and body. */
  readonly judge: JarName;
  readonly header: unknown;
  readonly body: unknown;
}

let schemas: ReadonlyMap<JarName, ReadonlyMap<string, KafkaMessage>> | undefined;

/** Jars that know a message in a version, newest first. */
export function judgesOf(name: string, version: number): JarName[] {
  schemas ??= new Map(JARS.map(jar => [jar, kafkaMessages(jar)]));
  return JARS.filter(jar => isJudge(jar, schemas!.get(jar)!, name, version));
}
