/** What the tests of the consumer share: a consumer of scripted brokers, and what it read as text. */
import { type Arena, MillraceError } from '../../base/index.ts';
import { ScriptedCluster } from '../../testing/index.ts';
import { RecordCursor } from '../../wire/records/index.ts';
import { Consumer, type ConsumerSettings, type FetchedBatches } from './consumer.ts';

export interface Reading {
  readonly scripted: ScriptedCluster;
  readonly reports: MillraceError[];
  make(settings?: Partial<ConsumerSettings>, arena?: Arena): Consumer;
}

export function start(hosts: readonly string[] = ['a']): Reading {
  const scripted = new ScriptedCluster(hosts);
  const reports: MillraceError[] = [];
  return {
    scripted,
    reports,
    make: (settings, arena) => {
      const report = (error: Error): void => void reports.push(error as MillraceError);
      return new Consumer(scripted.client({}, { report }, arena), { maxWaitMs: 100, ...settings });
    },
  };
}

export function code(expected: string, text = /./): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === expected && text.test(error.message);
}

/** `partition:value` of the records that were asked for. */
export function valuesOf(fetched: readonly FetchedBatches[]): string[] {
  const values: string[] = [];
  for (const { batches, fromOffset, owner, partition } of fetched) {
    for (const batch of batches) {
      const cursor = new RecordCursor().open(batch);
      while (cursor.advance())
        if (cursor.offset >= fromOffset) values.push(`${partition}:${Buffer.from(cursor.value!).toString()}`);
    }
    owner?.release();
  }
  return values;
}

export async function readUntil(
  scripted: ScriptedCluster,
  consumer: Consumer,
  count: number,
  polls = 100,
): Promise<string[]> {
  const values: string[] = [];
  for (let i = 0; i < polls && values.length < count; i++)
    values.push(...valuesOf(await scripted.settle(consumer.poll())));
  return values;
}
