/** Error codes of transactions: what provokes each, API by API. */
import { apis } from '../wire/index.ts';
import { batch, broken, type Case, from, type Rig, topic } from './rig-cases.ts';
import { TransactionClient } from './transaction-cases.ts';

type Doing = (client: TransactionClient, rig: Rig) => unknown;

/** With a producer that has initialised. */
const by =
  (doing: Doing, protocol: 1 | 2 = 1) =>
  async (rig: Rig): Promise<unknown> => {
    const client = new TransactionClient(rig, 'x', protocol);
    await client.init();
    return doing(client, rig);
  };

/** In a transaction that has a partition. */
const inside = (doing: Doing): ((rig: Rig) => Promise<unknown>) =>
  by(async (client, rig) => {
    await client.add();
    return doing(client, rig);
  });

/** By the producer that another one has fenced. */
const fenced = (doing: Doing): ((rig: Rig) => Promise<unknown>) =>
  by(async (client, rig) => {
    await new TransactionClient(rig, 'x').init();
    return doing(client, rig);
  });

/** By a producer id that is not the one that the transactional id has. */
const mistaken = (doing: Doing): ((rig: Rig) => Promise<unknown>) =>
  by((client, rig) => {
    client.producerId += 7;
    return doing(client, rig);
  });

/** While the transaction ends. */
const ending = (doing: Doing): ((rig: Rig) => Promise<unknown>) =>
  inside(async (client, rig) => {
    const { transactions } = rig.sim.coordination;
    const { id, producerEpoch, producerId } = client;
    const ended = transactions.endOf({ namespace: '', id, producerEpoch, producerId }, true, false);
    const found = doing(client, rig);
    const code = await found;
    await rig.sim.finish(ended);
    return code;
  });

const wellKnown = { transactionalIdPattern: null, stateFilters: [], producerIdFilters: [], durationFilter: -1 };

async function list(rig: Rig, more: object): Promise<number> {
  return (await rig.ask(apis.listTransactions, 2, { ...wellKnown, ...more })).errorCode;
}

export const TRANSACTION_CODE_CASES: Readonly<Record<string, readonly Case[]>> = {
  initProducerId: [
    ['a transaction without time', 50, rig => new TransactionClient(rig).init(0)],
    ['more time than is allowed', 50, rig => new TransactionClient(rig).init(900_001)],
    ['no name', 42, rig => new TransactionClient(rig, '').init()],
    ['a name beyond the bound', 42, rig => new TransactionClient(rig, 'x'.repeat(1_001)).init()],
    ['a producer that was fenced', 90, fenced(client => client.init(60_000, true))],
    ['the same, for an older client', 47, fenced(client => client.init(60_000, true, 3))],
    ['a disk that fails', 15, broken, rig => new TransactionClient(rig).init()],
  ],
  produce: [
    ['a batch of the transaction', 0, topic, inside(client => client.produce(['a']))],
    ['a batch that adds its partition', 0, topic, by(client => client.produce(['a'], 1), 2)],
    ['a partition that was not added', 48, topic, inside(client => client.produce(['a'], 1))],
    ['the same, for clients that abort then', 120, topic, inside(client => client.produce(['a'], 1, 11))],
    ['a fenced producer', 47, topic, fenced(client => client.produce(['a']))],
    ['another producer id', 49, topic, mistaken(client => client.produce(['a']))],
    [
      'a plain batch under a transactional id',
      48,
      topic,
      by((client, rig) => rig.produce(9, from(client.producerId, client.producerEpoch, 0), { transactionalId: 'x' })),
    ],
    [
      'a transactional batch without an id',
      48,
      topic,
      by((client, rig) => {
        const { producerEpoch, producerId } = client;
        return rig.produce(9, batch(['a'], { producerId, producerEpoch, baseSequence: 0, isTransactional: true }));
      }),
    ],
  ],
  addPartitionsToTxn: [
    ['partitions', 0, topic, by(client => client.add([0, 1]))],
    ['an unknown topic', 3, by(client => client.add())],
    ['an unknown partition', 3, topic, by(client => client.add([7]))],
    ['beside an unknown one', 55, topic, by(client => client.add([0, 7]))],
    ['an internal topic', 29, rig => rig.topic('__millrace_x'), by(client => client.add([0], '__millrace_x'))],
    ['a fenced producer', 90, topic, fenced(client => client.add())],
    ['the same, for an older client', 47, topic, fenced(client => client.add([0], 't', 1))],
    ['another producer id', 49, topic, mistaken(client => client.add())],
    ['while it ends', 51, topic, ending(client => client.add([1]))],
    ['a disk that fails', 15, topic, by(async (client, rig) => (await rig.breakDisk(), client.add()))],
    ['is it part of it: yes', 0, topic, inside(client => client.verify())],
    ['no', 120, topic, inside(client => client.verify(1))],
    ['no, for an older client', 48, topic, inside(client => client.verify(1, 4))],
  ],
  addOffsetsToTxn: [
    ['a group', 0, by(client => client.addGroup())],
    ['no name', 24, by(client => client.addGroup(''))],
    ['a fenced producer', 90, fenced(client => client.addGroup())],
    ['the same, for an older client', 47, fenced(client => client.addGroup('g', 1))],
    ['another producer id', 49, mistaken(client => client.addGroup())],
    ['while it ends', 51, topic, ending(client => client.addGroup())],
  ],
  txnOffsetCommit: [
    ['an offset', 0, topic, by(async client => (await client.addGroup(), client.commitOffset(1)))],
    ['an offset that adds its group', 0, topic, by(client => client.commitOffset(1), 2)],
    ['a group that was not added', 48, topic, inside(client => client.commitOffset(1))],
    ['the same, for clients that abort then', 120, topic, inside(client => client.commitOffset(1, {}, 4))],
    ['an unknown partition', 3, by(async client => (await client.addGroup(), client.commitOffset(1)))],
    [
      'metadata beyond the bound',
      12,
      topic,
      by(client => {
        const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: 'x'.repeat(5_000) }];
        return client.commitOffset(1, { topics: [{ name: 't', partitions }] });
      }, 2),
    ],
    [
      'a generation that there is not',
      22,
      topic,
      inside(client => client.commitOffset(1, { generationId: 3, memberId: 'm' })),
    ],
    [
      'a member that there is not',
      25,
      topic,
      async rig => void (await rig.stable()),
      inside(client => client.commitOffset(1, { generationId: 1, memberId: 'm' })),
    ],
    ['no group', 24, topic, inside(client => client.commitOffset(1, { groupId: '' }))],
    ['a fenced producer', 47, topic, fenced(client => client.commitOffset(1))],
    ['another producer id', 49, topic, mistaken(client => client.commitOffset(1))],
  ],
  endTxn: [
    ['a transaction', 0, topic, inside(client => client.end(true))],
    ['a transaction of nothing', 48, by(client => client.end(true))],
    ['an abort of nothing, for a new epoch', 0, by(client => client.end(false), 2)],
    ['a fenced producer', 90, fenced(client => client.end(true))],
    ['the same, for an older client', 47, fenced(client => client.end(true, 1))],
    ['another producer id', 49, mistaken(client => client.end(true))],
    ['while it ends', 51, topic, ending(client => client.end(true))],
    ['the other way while it ends', 48, topic, ending(client => client.end(false))],
    ['a disk that fails', 15, topic, inside(async (client, rig) => (await rig.breakDisk(), client.end(true)))],
  ],
  describeProducers: [
    ['a partition', 0, topic, async rig => (await describeProducers(rig, 0))!.errorCode],
    ['an unknown one', 3, topic, async rig => (await describeProducers(rig, 9))!.errorCode],
  ],
  describeTransactions: [
    ['an id', 0, by((_client, rig) => describe(rig, 'x'))],
    ['an unknown one', 105, rig => describe(rig, 'x')],
  ],
  listTransactions: [
    ['all', 0, rig => list(rig, {})],
    ['an expression that is none', 128, rig => list(rig, { transactionalIdPattern: '(' })],
  ],
};

async function describe(rig: Rig, id: string): Promise<number> {
  return (await rig.ask(apis.describeTransactions, 0, { transactionalIds: [id] })).transactionStates[0]!.errorCode;
}

async function describeProducers(rig: Rig, partition: number): Promise<{ readonly errorCode: number } | undefined> {
  const topics = [{ name: 't', partitionIndexes: [partition] }];
  return (await rig.ask(apis.describeProducers, 0, { topics })).topics[0]!.partitions[0];
}
