/** The window against a broker that remembers the last five batches of a producer, under any mixture of faults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Failure, type Identity, PartitionWindow, ProducedBatch } from './window.ts';
import { RecordBatchBuilder } from '../../wire/records/index.ts';

const REMEMBERED = 5;

/** What a broker keeps of a partition's producers: enough to take, to know again, and to refuse. */
class ModelPartition {
  readonly log: number[] = [];
  /** As brokers before 2.5 do. */
  mustBeginAtZero = false;
  private readonly producers = new Map<number, { next: number; last: { sequence: number; count: number }[] }>();

  produce(identity: Identity, batch: ProducedBatch, number: number): 'taken' | 'duplicate' | 'sequence' {
    const { recordCount: count, sequence } = batch;
    // As Kafka: any first sequence of a producer that is not known.
    const state = this.producers.get(identity.id) ?? { next: this.mustBeginAtZero ? 0 : sequence, last: [] };
    if (state.last.some(entry => entry.sequence === sequence && entry.count === count)) return 'duplicate';
    if (sequence !== state.next) return 'sequence';
    state.next = sequence + count;
    state.last = [...state.last, { sequence, count }].slice(-REMEMBERED);
    this.producers.set(identity.id, state);
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
          if (taken === 'sequence') failure = { kind: 'sequence', error: new Error('sequence') };
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

test('a broker that lost the producer’s state gets a new identity, and everything behind it in order', () => {
  const partition = new ModelPartition();
  partition.mustBeginAtZero = true;
  const order: number[] = [];
  const numbers = new Map<ProducedBatch, number>();
  const window = new PartitionWindow('t', 0, 5, batch => order.push(numbers.get(batch)!));
  let identities = 0;
  const round = (): void => {
    window.identity ??= { id: ++identities, epoch: 0 };
    const sent: ProducedBatch[] = [];
    for (let batch = window.next(); batch; batch = window.next()) sent.push(batch);
    for (const batch of sent) {
      const result = partition.produce(window.identity, batch, numbers.get(batch)!);
      const failure: Failure | undefined =
        result === 'sequence' ? { kind: 'sequence', error: new Error('sequence') } : undefined;
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
  assert.equal(identities, 2);
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
