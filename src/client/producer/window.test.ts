/** The window against a broker that remembers the last five batches of a producer, under any mixture of faults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchHeader, RecordBatchBuilder, RecordCursor } from '../../wire/records/index.ts';
import { type Acknowledgement, type Failure, type Identity, ProducedBatch, SEQUENCES } from './batch.ts';
import { PartitionWindow } from './window.ts';

const REMEMBERED = 5;

interface Known {
  readonly epoch: number;
  readonly next: number;
  readonly last: readonly { readonly sequence: number; readonly count: number }[];
}

/** What a broker keeps of a partition's producers: enough to take, to know again, and to refuse. */
class ModelPartition {
  readonly log: number[] = [];
  /** As brokers before 2.5 do. */
  mustBeginAtZero = false;
  private readonly producers = new Map<number, Known>();

  produce(identity: Identity, batch: ProducedBatch, number: number): 'taken' | 'duplicate' | 'sequence' | 'epoch' {
    const { recordCount: count, sequence } = batch;
    const { epoch, id } = identity;
    // As Kafka: any first sequence of a producer that is not known, but zero for a new epoch of one that is.
    const known = this.producers.get(id) ?? { epoch, next: this.mustBeginAtZero ? 0 : sequence, last: [] };
    if (epoch < known.epoch) return 'epoch';
    const state = epoch > known.epoch ? { epoch, next: 0, last: [] } : known;
    if (state.last.some(entry => entry.sequence === sequence && entry.count === count)) return 'duplicate';
    if (sequence !== state.next) return 'sequence';
    const last = [...state.last, { sequence, count }].slice(-REMEMBERED);
    this.producers.set(id, { epoch, next: (sequence + count) % SEQUENCES, last });
    this.log.push(number);
    return 'taken';
  }

  /** The broker forgets its producers, as one does that lost its state. */
  forget(): void {
    this.producers.clear();
  }
}

function batchOf(records: number, bornMs = 0): ProducedBatch {
  const builder = new RecordBatchBuilder();
  for (let i = 0; i < records; i++) builder.append(0, null, Buffer.from('x'));
  return new ProducedBatch(builder.finish({ isSealed: false }), records, [], bornMs, 1);
}

const again: Failure = { kind: 'again', error: new Error('again') };
const late = (): Error => new Error('late');

test('every batch is in the log once and in order, whatever is lost on the way', () => {
  const step = fc.record({
    pushes: fc.integer({ min: 0, max: 3 }),
    sends: fc.integer({ min: 0, max: 6 }),
    fault: fc.constantFrom('none', 'none', 'request', 'answer', 'not leader'),
    answers: fc.array(fc.nat(), { maxLength: 6 }),
    size: fc.integer({ min: 1, max: 4 }),
    hit: fc.nat({ max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const partition = new ModelPartition();
      const settled: number[] = [];
      const numbers = new Map<ProducedBatch, number>();
      const window = new PartitionWindow('t', 0, 5, (batch, error) => {
        assert.equal(error, undefined);
        settled.push(numbers.get(batch)!);
      });
      let identities = 0;
      let underway: { batch: ProducedBatch; failure: Failure | undefined }[] = [];
      const answer = (index: number): void => {
        const [{ batch, failure }] = underway.splice(index, 1) as [(typeof underway)[0]];
        if (window.answered(batch, failure)) window.recover(-1, late);
      };
      const send = (fault: string): boolean => {
        window.identity ??= { id: ++identities, epoch: 0 };
        const batch = window.next();
        if (!batch) return false;
        assert.ok(underway.length < 5, 'I3');
        let failure: Failure | undefined = fault === 'none' ? undefined : again;
        if (fault === 'none' || fault === 'answer') {
          const taken = partition.produce(window.identity, batch, numbers.get(batch)!);
          if (taken === 'sequence' || taken === 'epoch') failure = { kind: taken, error: new Error(taken) };
        }
        underway.push({ batch, failure });
        return true;
      };
      for (const { answers, fault, hit, pushes, sends, size } of steps) {
        for (let i = 0; i < pushes; i++) {
          const batch = batchOf(size);
          numbers.set(batch, numbers.size);
          window.push(batch);
        }
        // A fault hits one of the requests; those around it arrive.
        for (let i = 0; i < sends; i++) send(i === hit ? fault : 'none');
        for (const choice of answers) if (underway.length > 0) answer(choice % underway.length);
      }
      for (let i = 0; i < 1_000 && !window.isEmpty; i++) {
        while (send('none'));
        while (underway.length > 0) answer(0);
      }
      underway = [];
      const expected = Array.from(numbers.values());
      assert.deepEqual(settled, expected);
      assert.deepEqual(partition.log, expected);
      assert.ok(identities <= 1, 'the broker forgot nothing');
    }),
  );
});

test('a broker that lost the producer’s state gets the next epoch, and everything behind it in order', () => {
  const partition = new ModelPartition();
  partition.mustBeginAtZero = true;
  const order: number[] = [];
  const numbers = new Map<ProducedBatch, number>();
  const window = new PartitionWindow('t', 0, 5, batch => order.push(numbers.get(batch)!));
  const round = (): void => {
    window.identity ??= { id: 1, epoch: 0 };
    const sent: ProducedBatch[] = [];
    for (let batch = window.next(); batch; batch = window.next()) sent.push(batch);
    for (const batch of sent) {
      const result = partition.produce(window.identity, batch, numbers.get(batch)!);
      const failure: Failure | undefined =
        result === 'sequence' || result === 'epoch' ? { kind: result, error: new Error(result) } : undefined;
      if (window.answered(batch, failure)) window.recover(-1, late);
    }
  };
  for (let i = 0; i < 7; i++) {
    const batch = batchOf(2);
    numbers.set(batch, i);
    window.push(batch);
    if (i === 3) round();
  }
  partition.forget();
  for (let i = 0; i < 10 && !window.isEmpty; i++) round();
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(partition.log, order);
  assert.deepEqual(window.identity, { id: 1, epoch: 1 });
});

test('a copy of an old try that arrives late is refused: the epoch went on', () => {
  const partition = new ModelPartition();
  const window = new PartitionWindow('t', 0, 5, () => undefined);
  window.identity = { id: 1, epoch: 0 };
  const [first, lost, last] = [batchOf(1, 100), batchOf(1, 10), batchOf(1, 100)];
  window.push(first!);
  assert.equal(partition.produce(window.identity, window.next()!, 0), 'taken');
  window.answered(first!, undefined);
  // Both are held back by the network; the client gives one up and sends the other again.
  for (const batch of [lost!, last!]) window.push(batch);
  const copies = [window.next()!, window.next()!].map(({ recordCount, sequence }) => ({ recordCount, sequence }));
  const before = window.identity;
  window.answered(lost!, again);
  assert.ok(window.answered(last!, again));
  window.recover(50, late);
  const refused = partition.produce(window.identity, window.next()!, 2);
  assert.equal(refused, 'sequence');
  window.answered(last!, { kind: 'sequence', error: new Error('gap') });
  window.recover(50, late);
  assert.equal(partition.produce(window.identity, window.next()!, 2), 'taken');
  for (const copy of copies) assert.equal(partition.produce(before, copy as ProducedBatch, 9), 'epoch');
  assert.deepEqual(partition.log, [0, 2]);
});

test('another id is taken when epochs are used up, or a newer producer has ours', () => {
  for (const [epoch, kind] of [
    [32_767, 'sequence'],
    [5, 'epoch'],
  ] as const) {
    const window = new PartitionWindow('t', 0, 5, () => undefined);
    window.identity = { id: 1, epoch };
    window.push(batchOf(1, 100));
    window.answered(window.next()!, { kind, error: new Error(kind) });
    window.recover(-1, late);
    assert.equal(window.identity, undefined);
    assert.ok(window.needsNewId);
  }
});

test('sequence numbers go on at zero behind the largest', () => {
  const window = new PartitionWindow('t', 0, 5, () => undefined);
  window.identity = { id: 1, epoch: 0 };
  const counts = [SEQUENCES - 4, 2, 3, 2];
  const sequences = counts.map(count => {
    const batch = new ProducedBatch(batchOf(1).bytes, count, [], 0, 1);
    window.push(batch);
    window.next();
    window.answered(batch, undefined);
    return batch.sequence;
  });
  // The third begins at the last but one and goes on with 0.
  assert.deepEqual(sequences, [0, SEQUENCES - 4, SEQUENCES - 2, 1]);
  const last = new ProducedBatch(batchOf(3).bytes, 3, [], 0, 1);
  last.sequence = SEQUENCES - 2;
  last.seal({ id: 9, epoch: 1 });
  const header = new BatchHeader(last.bytes);
  assert.deepEqual([header.baseSequence, header.producerId, header.producerEpoch], [2 ** 31 - 2, 9, 1]);
});

/** A batch of numbered records: numbers below `change` were given with one function, the others with another. */
function toldBatch(records: number, change: number, told: string[]): ProducedBatch {
  const builder = new RecordBatchBuilder();
  for (let i = 0; i < records; i++) builder.append(i, null, Buffer.from(`${i}`), [['h', Buffer.from(`${i}`)]]);
  const tags = Array.from({ length: records }, (_, i) => i);
  const tell = (name: string): Acknowledgement['done'] => {
    return (list, error) => void told.push(`${name}:${list.join('+')}${error ? '!' : ''}`);
  };
  const acknowledgements = [
    { done: tell('a'), tags: tags.slice(0, change) },
    { done: tell('b'), tags: tags.slice(change) },
  ];
  return new ProducedBatch(builder.finish({ codec: 'gzip', isSealed: false }), records, acknowledgements, 0, 100);
}

test('a batch that is too large for its topic goes in halves, with the sequences it had; a single record is given up', () => {
  const told: string[] = [];
  const settle = (batch: ProducedBatch, error: Error | undefined): void => {
    for (const { done, tags } of batch.acknowledgements) done(tags, error);
  };
  const window = new PartitionWindow('t', 0, 5, settle);
  window.identity = { id: 1, epoch: 0 };
  window.push(toldBatch(5, 3, told));
  window.push(toldBatch(1, 1, told));
  const sent: string[] = [];
  const log: string[] = [];
  for (let i = 0; i < 20 && !window.isEmpty; i++) {
    const batch = window.next()!;
    const cursor = new RecordCursor().open(batch.bytes);
    const values: string[] = [];
    while (cursor.advance()) {
      values.push(Buffer.from(cursor.value!).toString());
      assert.deepEqual(cursor.headers(), [['h', Buffer.from(values.at(-1)!)]]);
      assert.equal(cursor.timestamp, Number(values.at(-1)));
    }
    sent.push(`${batch.sequence}:${values.join('+')}`);
    // Two records at most, and never record 4.
    const isTooLarge = batch.recordCount > 2 || values.includes('4');
    if (!isTooLarge) log.push(...values);
    if (window.answered(batch, isTooLarge ? { kind: 'too large', error: new Error('too large') } : undefined))
      window.recover(-1, late);
  }
  assert.deepEqual(sent, ['0:0+1+2+3+4', '0:0+1+2', '0:0+1', '2:2', '3:3+4', '3:3', '4:4', '5:0']);
  assert.deepEqual(log, ['0', '1', '2', '3', '0']);
  assert.deepEqual(told, ['a:0+1', 'a:2', 'b:3', 'b:4!', 'a:0', 'b:']);
  assert.ok(window.batchBytesMax < 100);
});

test('a fatal answer fails its batch alone; a batch past its time is given up with the reason', () => {
  const results: string[] = [];
  const window = new PartitionWindow('t', 0, 5, (_batch, error) => results.push(error?.message ?? 'ok'));
  const [large, old, young] = [batchOf(1, 50), batchOf(1, 10), batchOf(1, 100)];
  for (const batch of [large!, old!, young!]) window.push(batch);
  const sent = [window.next()!, window.next()!];
  assert.equal(window.answered(sent[0]!, { kind: 'fatal', error: new Error('too large') }), false);
  assert.equal(window.next(), undefined);
  assert.equal(window.answered(sent[1]!, again), true);
  assert.equal(
    window.recover(20, (_batch, reason) => new Error(`late: ${reason}`)),
    true,
  );
  assert.deepEqual(results, ['too large', 'late: too large']);
  assert.equal(window.answered(window.next()!, undefined), false);
  assert.deepEqual(results, ['too large', 'late: too large', 'ok']);
  assert.ok(window.isEmpty);
});
