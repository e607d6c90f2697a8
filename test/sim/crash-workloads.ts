/** The workloads of `crash.ts`: what the log writes, by what makes it write. */
import assert from 'node:assert/strict';
import type { GroupError, JoinRequest, OffsetToCommit, TransactionOf } from '../../src/coordination/index.ts';
import { batchOf } from '../../src/testing/sim/records.ts';
import type { Rig, Step, Workload } from './crash.ts';

const KEEP = new Map([['retention.ms', '-1']]);
const SMALL = { fileBytesMax: 1_200, unlinkDelayMs: 60_000, reserveBytes: 2_000 };
const UNLINKED_MS = SMALL.unlinkDelayMs + 1;
/** Spans sectors, so that its middle can be missing. */
const LARGE = '.'.repeat(1_500);

const create = (name: string, partitions: number): Step => ({
  name: `create ${name}`,
  run: ({ log }) => log.createTopic('', name, partitions, KEEP),
});

const append = (topic: string, partition: number, ...values: string[]): Step => ({
  name: `append to ${topic}/${partition}`,
  run: rig => rig.append(topic, partition, ...values),
});

const produce = (partition: number, sequence: number): Step => ({
  name: `sequence ${sequence} to ${partition}`,
  run: rig => rig.produce('t', partition, 7, sequence, `sequence ${sequence}`),
});

const state = (key: string, value: string | undefined): Step => ({
  name: `state ${key}`,
  run: ({ log }) => log.change([{ table: 'test', key, value: value === undefined ? undefined : Buffer.from(value) }]),
});

const pass = (ms: number): Step => ({ name: 'time passes', run: ({ io }) => io.clock.pass(ms) });

const commit = (group: string, topic: string, offset: number): Step => ({
  name: `commit of ${group}`,
  run: ({ coordination }) =>
    coordination.store('', group, [{ topic, partition: 0, offset, leaderEpoch: 0, metadata: null }]),
});

/** What a group answers without success was not acknowledged. */
const well = async (answer: Promise<GroupError>): Promise<void> => assert.equal(await answer, 'NONE');

/** A round of a group: one member joins and is given its share. */
async function join({ coordination, io }: Rig): Promise<void> {
  const request: JoinRequest = {
    memberId: '',
    instanceId: 'one',
    clientId: 'c',
    clientHost: 'h',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    needsMemberId: false,
    canSkipAssignment: false,
  };
  const joining = Promise.resolve(coordination.join('', 'g', request));
  await io.clock.pass(3_100);
  const { error, generation, memberId } = await joining;
  assert.equal(error, 'NONE');
  const synced = await coordination.sync('', 'g', {
    memberId,
    instanceId: 'one',
    generation,
    protocolType: 'consumer',
    protocol: 'range',
    assignments: [{ memberId, assignment: Buffer.from('all') }],
  });
  assert.equal(synced.error, 'NONE');
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'appends',
    settings: { reserveBytes: 2_000 },
    steps: [
      create('t', 2),
      append('t', 0, 'a'),
      append('t', 1, 'b', LARGE),
      produce(0, 0),
      produce(0, 1),
      {
        name: 'three at once',
        run: rig => Promise.all([rig.append('t', 0, 'c'), rig.append('t', 1, LARGE), rig.append('t', 0, 'd')]),
      },
      produce(0, 2),
      {
        name: 'a unit',
        run: rig => {
          const states = [{ table: 'test', key: 'unit', value: Buffer.from('1') }];
          const append = { partition: rig.partition('t', 0), batch: batchOf(['e']) };
          return rig.log.commit([append, { partition: rig.partition('t', 1), batch: batchOf(['f']) }], states);
        },
      },
    ],
  },
  {
    name: 'files',
    settings: SMALL,
    steps: [
      create('t', 2),
      ...[0, 1, 2, 3, 4, 5].flatMap(i => [
        append('t', i % 2, `value ${i} ${i % 3 === 0 ? LARGE : ''}`),
        produce(i % 2, Math.floor(i / 2)),
        state(`k${i % 2}`, i === 4 ? undefined : `state ${i}`),
      ]),
    ],
  },
  {
    name: 'topics',
    settings: SMALL,
    steps: [
      create('t', 1),
      create('u', 2),
      append('u', 1, LARGE),
      append('t', 0, 'kept'),
      { name: 'more partitions', run: rig => rig.log.addPartitions(rig.topic('t'), 3) },
      { name: 'configs', run: rig => rig.log.changeConfigs(rig.topic('t'), () => new Map([...KEEP, ['x', 'y']])) },
      append('t', 2, LARGE),
      { name: 'delete u', run: rig => rig.log.deleteTopic(rig.topic('u')) },
      pass(UNLINKED_MS),
      create('u', 1),
      append('u', 0, 'another'),
      pass(UNLINKED_MS),
    ],
  },
  {
    name: 'retention',
    settings: SMALL,
    steps: [
      create('t', 2),
      ...[0, 1, 2, 3].flatMap(i => [append('t', 0, `${i} ${LARGE}`), append('t', 1, `${i}`)]),
      { name: 'move the start', run: rig => rig.log.setLogStart(rig.partition('t', 1), 2) },
      {
        name: 'bound the size',
        run: rig => rig.log.changeConfigs(rig.topic('t'), () => new Map([...KEEP, ['retention.bytes', '2000']])),
      },
      { name: 'retain', run: rig => rig.log.applyRetention() },
      pass(UNLINKED_MS),
      append('t', 0, 'behind'),
      {
        name: 'bound the time',
        run: rig => rig.log.changeConfigs(rig.topic('t'), () => new Map([['retention.ms', '1000']])),
      },
      { name: 'retain', run: rig => rig.log.applyRetention() },
      append('t', 1, 'last'),
      pass(UNLINKED_MS),
    ],
  },
  {
    name: 'groups',
    settings: SMALL,
    steps: [
      create('t', 1),
      create('u', 1),
      commit('g', 't', 3),
      { name: 'join', run: join },
      commit('g', 't', 5),
      commit('other', 'u', 1),
      commit('g', 'u', 2),
      { name: 'forget u', run: ({ coordination }) => well(coordination.forgetTopic('', 'u')) },
      {
        name: 'delete g, its member gone',
        run: async ({ coordination, io }) => {
          await io.clock.pass(20_000);
          await well(coordination.delete('', 'g'));
        },
      },
      commit('g', 't', 1),
    ],
  },
  {
    name: 'transactions',
    settings: SMALL,
    steps: [
      create('t', 2),
      { name: 'initialise x', run: initialise },
      { name: 'add', run: rig => wellDone(rig.coordination.transactions.addPartitions(ofX(rig), [at(0), at(1)])) },
      { name: 'write', run: rig => write(rig, 0, `a ${LARGE}`) },
      { name: 'write', run: rig => write(rig, 1, 'b') },
      append('t', 0, 'plain'),
      {
        name: 'offsets',
        run: rig => wellDone(rig.coordination.transactions.addOffsets(ofX(rig), 'g', [offset(7)], true)),
      },
      { name: 'commit', run: rig => end(rig, true) },
      { name: 'write what adds its partition', run: rig => write(rig, 1, `c ${LARGE}`) },
      { name: 'write what adds its partition', run: rig => write(rig, 0, 'd') },
      append('t', 1, 'plain'),
      { name: 'abort', run: rig => end(rig, false) },
      { name: 'initialise x again', run: initialise },
      { name: 'write', run: rig => write(rig, 0, 'e') },
      { name: 'move the start', run: rig => rig.log.setLogStart(rig.partition('t', 1), 4) },
      { name: 'retain', run: rig => rig.log.applyRetention() },
      { name: 'commit', run: rig => end(rig, true) },
    ],
  },
];

const at = (partition: number): { topic: string; partition: number } => ({ topic: 't', partition });

function offset(value: number): OffsetToCommit {
  return { ...at(0), offset: value, leaderEpoch: 0, metadata: null };
}

function ofX({ coordination }: Rig): TransactionOf {
  return { namespace: '', id: 'x', ...coordination.transactions.find('', 'x')!.producer };
}

async function wellDone(answer: Promise<unknown>): Promise<void> {
  assert.equal(await answer, 'NONE');
}

async function initialise({ coordination }: Rig): Promise<void> {
  assert.equal((await coordination.transactions.initialise('', 'x', 60_000)).error, 'NONE');
}

/** As Produce does it from version 12 on. */
async function write(rig: Rig, index: number, value: string): Promise<void> {
  const partition = rig.partition('t', index);
  const { producerEpoch: epoch, producerId: id } = ofX(rig);
  const adding = rig.coordination.transactions.addingByBatch(ofX(rig), 't', index, true);
  assert.ok(typeof adding !== 'string', `${String(adding)}`);
  const known = [...partition.producers.stored()].find(entry => entry.producerId === id && entry.epoch === epoch);
  const sequence = known?.expectedSequence ?? 0;
  const batch = batchOf([value], { id, epoch, sequence, isTransactional: true });
  await rig.log.append(partition, batch, undefined, -1, () => adding.states);
  adding.synced();
}

/** Each transaction has an epoch of its own. */
async function end(rig: Rig, isCommit: boolean): Promise<void> {
  assert.equal((await rig.coordination.transactions.endOf(ofX(rig), isCommit, true)).error, 'NONE');
}
