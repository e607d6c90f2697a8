/**
 * Every error code that the broker can answer, provoked over the wire. No API answers a code that its clients do not know
 * (`KNOWN`, from Kafka's protocol).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker } from '../testing/index.ts';
import { CODE_CASES } from './code-cases.ts';
import { CONSUMER_CODE_CASES } from './consumer-code-cases.ts';
import { GROUP_CODE_CASES } from './group-code-cases.ts';
import { Rig } from './rig-cases.ts';
import { TRANSACTION_CODE_CASES } from './transaction-code-cases.ts';

/** What clients know how to handle, API by API. */
const KNOWN: Readonly<Record<string, readonly number[]>> = {
  produce: [0, 2, 3, 6, 7, 10, 17, 18, 19, 20, 21, 29, 32, 42, 43, 45, 47, 48, 49, 53, 56, 59, 76, 87, 89, 100, 120],
  fetch: [0, 1, 2, 3, 6, 29, 56, 70, 71, 74, 75, 76, 78, 100, 103, 106],
  listOffsets: [0, 3, 6, 29, 35, 43, 74, 75, 78],
  metadata: [0, 3, 5, 9, 17, 29, 42, 100],
  // 100 from version 10 on, which names topics by id.
  offsetCommit: [0, 3, 12, 14, 15, 16, 22, 24, 25, 27, 28, 29, 30, 82, 113, 69, 100],
  offsetFetch: [0, 3, 14, 16, 22, 25, 30, 69, 88, 113, 100],
  findCoordinator: [0, 15, 24, 30, 42, 53],
  joinGroup: [0, 14, 15, 16, 23, 24, 25, 26, 30, 79, 81, 82],
  syncGroup: [0, 15, 16, 22, 23, 25, 27, 30, 82],
  heartbeat: [0, 15, 16, 22, 25, 27, 30, 82],
  leaveGroup: [0, 15, 16, 24, 25, 30, 82],
  describeGroups: [0, 15, 16, 24, 30, 69],
  listGroups: [0, 14, 15],
  apiVersions: [0, 35, 42],
  createTopics: [0, 7, 17, 29, 31, 36, 37, 38, 39, 40, 41, 42, 44, 89],
  deleteTopics: [0, 3, 7, 29, 41, 73, 100],
  createPartitions: [0, 3, 37, 39, 41, 42, 60],
  initProducerId: [0, 14, 15, 16, 31, 42, 47, 90, 50, 51, 53],
  offsetForLeaderEpoch: [0, 3, 6, 29, 74, 75],
  describeConfigs: [0, 3, 29, 31, 40, 42],
  deleteGroups: [0, 15, 16, 24, 30, 68, 69],
  offsetDelete: [0, 3, 15, 16, 24, 30, 68, 69, 86],
  // 82 besides what the protocol's document lists: clients take it for the end, as Kafka means it.
  consumerGroupHeartbeat: [0, 14, 15, 16, 24, 25, 29, 30, 42, 81, 82, 110, 111, 112, 128],
  consumerGroupDescribe: [0, 14, 15, 16, 24, 29, 30, 69],
  describeCluster: [0, 31, 114, 115],
  deleteRecords: [0, 1, 3, 6, 7, 29, 56],
  alterConfigs: [0, 3, 7, 29, 31, 40, 42, 44],
  incrementalAlterConfigs: [0, 3, 7, 29, 31, 40, 42, 44],
  addPartitionsToTxn: [0, 3, 14, 15, 16, 29, 31, 47, 48, 49, 51, 53, 55, 90, 120],
  addOffsetsToTxn: [0, 14, 15, 16, 24, 30, 47, 48, 49, 51, 53, 90],
  txnOffsetCommit: [0, 3, 12, 14, 15, 16, 22, 24, 25, 29, 30, 47, 48, 49, 51, 53, 82, 120],
  endTxn: [0, 14, 15, 16, 47, 48, 49, 51, 53, 90],
  describeProducers: [0, 3, 29],
  describeTransactions: [0, 14, 15, 16, 53, 105],
  listTransactions: [0, 14, 15, 128],
};

const PARTS = {
  settings: { partitionsMax: 1_000 },
  coordination: { membersMax: 3, groupsMax: 2, groupBytesMax: 100_000 },
};

const ALL = [CODE_CASES, GROUP_CODE_CASES, CONSUMER_CODE_CASES, TRANSACTION_CODE_CASES].flatMap(table =>
  Object.entries(table),
);

for (const [api, cases] of ALL) {
  test(`${api} answers ${[...new Set(cases.map(([, wanted]) => wanted))].join(', ')}`, async () => {
    for (const [what, wanted, ...steps] of cases) {
      const sim = await SimBroker.start(PARTS);
      const rig = new Rig(sim, await sim.client());
      let found: unknown;
      for (const step of steps) found = await step(rig);
      assert.equal(found, wanted, `${api}: ${what}`);
      assert.ok(wanted === -1 || KNOWN[api]!.includes(wanted), `${api}: clients do not know ${wanted}`);
    }
  });
}
