/** Connections against brokers that hang, lie, close and ask for proofs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, makeArenaMemory, MillraceError } from '../base/index.ts';
import { CLOSE, HANG, ScriptedCluster, type SeenRequest } from '../testing/index.ts';
import { apis, encodeResponse, errorCode } from '../wire/index.ts';
import { type Authenticate, BrokerConnection, type ConnectionSettings } from './connection.ts';

const SETTINGS: ConnectionSettings = {
  clientId: 'test',
  tls: undefined,
  connectTimeoutMs: 1_000,
  requestTimeoutMs: 5_000,
  answerBytesMax: 1_000_000,
};
const ALL_TOPICS = { topics: null };

interface Connecting {
  readonly scripted: ScriptedCluster;
  connect(settings?: Partial<ConnectionSettings>, firstCorrelationId?: number): Promise<BrokerConnection>;
}

function start(): Connecting {
  const scripted = new ScriptedCluster();
  const { io } = scripted.client();
  return {
    scripted,
    connect: (settings, first) =>
      scripted.settle(BrokerConnection.connect(io, scripted.brokers[0]!.address, { ...SETTINGS, ...settings }, first)),
  };
}

/** An answer in the layout of a version that was not asked for. */
function inLayout(version: number, seen: SeenRequest, answer: object): Uint8Array {
  return Buffer.concat(encodeResponse(apis.apiVersions, version, seen.correlationId, answer as never)).subarray(4);
}

function code(expected: string, text = /./): (error: unknown) => boolean {
  return error => error instanceof MillraceError && error.code === expected && text.test(error.message);
}

function rejected(result: PromiseSettledResult<unknown>, check: (error: unknown) => boolean): void {
  assert.equal(result.status, 'rejected');
  assert.ok(check(result.reason), String(result.reason));
}

const versionsOf = (scripted: ScriptedCluster): number[] => scripted.seen(apis.apiVersions).map(seen => seen.version);

for (const [what, apiKeys, expected] of [
  ['names its range', [{ apiKey: 18, minVersion: 0, maxVersion: 2 }], 2],
  ['names no range', [], 0],
] as const) {
  test(`a broker that refuses the version of ApiVersions and ${what} is asked in version ${expected}`, async () => {
    const { connect, scripted } = start();
    const broker = scripted.brokers[0]!;
    broker.on(apis.apiVersions, (message, seen) => {
      if (seen.version > expected) return inLayout(0, seen, { errorCode: errorCode('UNSUPPORTED_VERSION'), apiKeys });
      return scripted.handlerOf(broker, 18)(message as never, seen) as never;
    });
    const connection = await connect();
    assert.equal(connection.versionFor(apis.produce), apis.produce.maxVersion);
    assert.deepEqual(versionsOf(scripted), [3, expected]);
  });
}

test('a broker that closes on a version of ApiVersions is asked in the oldest on a fresh connection', async () => {
  const { connect, scripted } = start();
  const broker = scripted.brokers[0]!;
  broker.on(apis.apiVersions, (message, seen) =>
    seen.version > 0 ? CLOSE : (scripted.handlerOf(broker, 18)(message as never, seen) as never),
  );
  const connection = await connect();
  assert.ok(connection.isOpen);
  assert.deepEqual(
    scripted.seen(apis.apiVersions).map(({ connection: number, version }) => [number, version]),
    [
      [1, 3],
      [2, 0],
    ],
  );
});

test('a broker that closes on every version is told apart from one that is not there', async () => {
  const { connect, scripted } = start();
  scripted.brokers[0]!.on(apis.apiVersions, () => CLOSE);
  await assert.rejects(connect(), code('MR4210', /a:9092 ended the connection when it was asked for its versions/));
  scripted.brokers[0]!.stop();
  await assert.rejects(connect(), code('MR4202', /ECONNREFUSED/));
});

test('a version is the highest that both sides speak; none in common names the range', async () => {
  const { connect, scripted } = start();
  scripted.brokers[0]!.versions.set(apis.metadata.key, 5);
  scripted.brokers[0]!.versions.delete(apis.describeCluster.key);
  const connection = await connect();
  assert.equal(connection.versionFor(apis.metadata), 5);
  assert.equal(connection.versionFor(apis.metadata, 3), 3);
  assert.equal(connection.speaks(apis.describeCluster), false);
  await assert.rejects(
    connection.request(apis.describeCluster, { includeClusterAuthorizedOperations: false }),
    code('MR4204', /DescribeCluster in a version that this client speaks \(0 to 2\)/),
  );
});

test('requests are pipelined, and answers go to whom they belong, across the wrap of the correlation id', async () => {
  const { connect, scripted } = start();
  const connection = await connect({}, 0x7fff_fffd);
  let release: () => void = () => undefined;
  const gate = new Promise<void>(resolve => {
    release = resolve;
  });
  scripted.brokers[0]!.on(apis.listGroups, async () => {
    await gate;
    return { throttleTimeMs: 0, errorCode: 0, groups: [] };
  });
  const answers = [0, 1, 2, 3].map(() => connection.request(apis.listGroups, { statesFilter: [], typesFilter: [] }));
  const last = connection.request(apis.metadata, ALL_TOPICS);
  await scripted.pass(100);
  release();
  const groups = await scripted.settle(Promise.all(answers));
  assert.deepEqual(groups[3], { throttleTimeMs: 0, errorCode: 0, groups: [] });
  assert.equal((await scripted.settle(last)).clusterId, 'scripted');
  assert.deepEqual(
    scripted.requests.map(({ correlationId }) => correlationId),
    [0x7fff_fffd, 0x7fff_fffe, 0x7fff_ffff, 0, 1, 2],
  );
});

const LIES: readonly (readonly [what: string, frame: (seen: SeenRequest) => Uint8Array, text: RegExp])[] = [
  [
    'an answer to another request',
    seen => inLayout(0, { ...seen, correlationId: 77 }, { errorCode: 0, apiKeys: [] }),
    /nothing that was asked/,
  ],
  ['a frame too short for a correlation id', () => Buffer.from([0, 0]), /nothing that was asked/],
  [
    'an answer that is cut short',
    seen => inLayout(0, seen, { errorCode: 0, apiKeys: [] }).subarray(0, 7),
    /an answer to Metadata that cannot be read/,
  ],
  [
    'bytes behind an answer',
    seen => Buffer.concat([inLayout(0, seen, { errorCode: 0, apiKeys: [] }), Buffer.alloc(99)]),
    /an answer to Metadata that cannot be read/,
  ],
];
for (const [what, frame, text] of LIES) {
  test(`${what} ends the connection, and everything open with it`, async () => {
    const { connect, scripted } = start();
    const connection = await connect();
    scripted.brokers[0]!.on(apis.metadata, (_message, seen) => frame(seen));
    const both = Promise.allSettled([0, 1].map(() => connection.request(apis.metadata, ALL_TOPICS)));
    for (const result of await scripted.settle(both)) rejected(result, code('MR4215', text));
    assert.equal(connection.isOpen, false);
    await assert.rejects(connection.request(apis.metadata, ALL_TOPICS), code('MR4215', text));
  });
}

for (const [what, length, expected, text] of [
  ['a TLS alert', 0x15_03_03_00, 'MR4211', /it speaks TLS/],
  ['an HTTP answer', 0x48_54_54_50, 'MR4211', /it speaks HTTP/],
  ['a negative length', -1, 'MR4215', /an answer of -1 bytes/],
  ['a length beyond the limit', 1_000_001, 'MR4215', /1000001 bytes, where 1000000 are the most/],
] as const) {
  test(`${what} in place of an answer is named`, async () => {
    const { scripted } = start();
    const { io } = scripted.client();
    const address = { host: 'other', port: 1 };
    await io.network.listen(address, {
      onConnection: connection => {
        const bytes = Buffer.alloc(8);
        bytes.writeInt32BE(length);
        connection.start({ onData: () => connection.write([bytes]), onClose: () => undefined });
      },
    });
    await assert.rejects(scripted.settle(BrokerConnection.connect(io, address, SETTINGS)), code(expected, text));
  });
}

test('a broker that hangs fails what is open after the time-out, and cannot be negotiated with for longer than a connect', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  scripted.brokers[0]!.on(apis.metadata, () => HANG);
  const started = scripted.world.time;
  const results = Promise.allSettled([0, 1, 2].map(() => connection.request(apis.metadata, ALL_TOPICS)));
  for (const result of await scripted.settle(results))
    rejected(result, code('MR4203', /Metadata to a:9092 was not answered within 5000 ms/));
  assert.ok(Math.abs(scripted.world.time - started - 5_000) < 50);
  assert.equal(connection.isOpen, false);
  scripted.brokers[0]!.on(apis.apiVersions, () => HANG);
  const before = scripted.world.time;
  await assert.rejects(connect(), code('MR4203', /ApiVersions/));
  assert.ok(scripted.world.time - before < 1_100);
});

test('a half-open connection is found out by the time-out', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  scripted.network.breakOne('mute');
  await assert.rejects(scripted.settle(connection.request(apis.metadata, ALL_TOPICS)), code('MR4203'));
});

test('a request behind one that may wait long has its own time from then on', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  scripted.brokers[0]!.on(apis.joinGroup, async () => {
    await new Promise<void>(resolve => scripted.world.after(20_000, resolve));
    return {
      throttleTimeMs: 0,
      errorCode: 27,
      protocolName: '',
      leader: '',
      memberId: '',
      members: [],
      generationId: 0,
    };
  });
  const joined = connection.request(
    apis.joinGroup,
    { groupId: 'g', sessionTimeoutMs: 1, memberId: '', protocolType: '', protocols: [] },
    { timeoutMs: 60_000 },
  );
  const behind = connection.request(apis.metadata, ALL_TOPICS);
  assert.equal((await scripted.settle(joined)).errorCode, 27);
  assert.equal((await scripted.settle(behind)).clusterId, 'scripted');
});

test('the broker’s end of the connection fails what is open with the reason', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  let isClosed = 0;
  connection.onClose = () => isClosed++;
  scripted.brokers[0]!.on(apis.metadata, () => CLOSE);
  await assert.rejects(
    scripted.settle(connection.request(apis.metadata, ALL_TOPICS)),
    code('MR4202', /a:9092 was lost: the broker closed it/),
  );
  await scripted.pass(1_000);
  assert.equal(isClosed, 1);
});

test('a connection that ends behind its last answer is not handed out', async () => {
  const { connect, scripted } = start();
  const broker = scripted.brokers[0]!;
  broker.on(apis.apiVersions, (message, seen) => {
    const good = scripted.handlerOf(broker, 18)(message as never, seen) as object;
    // Two frames at once: the second answers nothing.
    const frame = inLayout(seen.version, seen, good);
    return Buffer.concat([frame, Buffer.from([0, 0, 0, 4, 0, 0, 0, 99])]);
  });
  await assert.rejects(connect(), code('MR4215'));
});

test('a pause that the broker asks for holds what comes next, in order', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  scripted.brokers[0]!.on(apis.listGroups, () => ({ throttleTimeMs: 3_000, errorCode: 0, groups: [] }));
  await scripted.settle(connection.request(apis.listGroups, { statesFilter: [], typesFilter: [] }));
  const asked = scripted.world.time;
  const versions = [1, 2, 3];
  const held = versions.map(cap => connection.request(apis.metadata, ALL_TOPICS, { cap }));
  await scripted.settle(Promise.all(held));
  const seen = scripted.seen(apis.metadata);
  assert.deepEqual(
    seen.map(({ version }) => version),
    versions,
  );
  assert.ok(seen[0]!.timeMs - asked >= 2_990);
});

test('a request without an answer resolves when its bytes have left, and fails with the connection', async () => {
  const { connect, scripted } = start();
  const connection = await connect();
  scripted.brokers[0]!.on(apis.produce, () => HANG);
  const produce = { acks: 0, timeoutMs: 1, topicData: [] };
  await scripted.settle(connection.request(apis.produce, produce, { isSilent: true }));
  connection.close();
  await assert.rejects(connection.request(apis.produce, produce, { isSilent: true }), code('MR4208'));
});

test('memory of an answer is kept by who asks for it, and free otherwise', async () => {
  const { scripted } = start();
  const arena = new Arena(makeArenaMemory(4 * 65_536), { slabBytes: 65_536, reservedBytes: 65_536 });
  const { io } = scripted.client();
  const connection = await scripted.settle(
    BrokerConnection.connect(io, scripted.brokers[0]!.address, { ...SETTINGS, arena }),
  );
  const before = arena.freeSlabs;
  let kept: { release(): void } | undefined;
  await scripted.settle(
    connection.request(apis.metadata, ALL_TOPICS, {
      keep: owner => {
        kept = owner;
      },
    }),
  );
  await scripted.settle(connection.request(apis.metadata, ALL_TOPICS));
  assert.ok(kept);
  kept.release();
  // The slab that rooms are cut from stays open.
  assert.equal(arena.freeSlabs, before);
});

/** A mechanism that proves itself by Metadata requests, as many as it is told to. */
function proving(lifetimesMs: number[], steps = 2): { authenticate: Authenticate; proofs: () => number } {
  let proofs = 0;
  return {
    proofs: () => proofs,
    authenticate: async exchange => {
      assert.deepEqual(exchange.broker, { host: 'a', port: 9092 });
      for (let i = 0; i < steps; i++) await exchange.request(apis.metadata, { topics: [] });
      proofs++;
      return lifetimesMs.shift() ?? 0;
    },
  };
}

test('a proof comes before anything else, and is renewed in time while requests wait', async () => {
  const { connect, scripted } = start();
  const { authenticate, proofs } = proving([10_000, 10_000, 0]);
  const connection = await connect({ authenticate });
  assert.deepEqual(
    scripted.requests.map(({ api }) => api),
    ['ApiVersions', 'Metadata', 'Metadata'],
  );
  // A long poll is under way when the proof must be renewed: it is answered, what comes behind it waits.
  scripted.brokers[0]!.on(apis.listGroups, async () => {
    await new Promise<void>(resolve => scripted.world.after(4_000, resolve));
    return { throttleTimeMs: 0, errorCode: 0, groups: [] };
  });
  await scripted.pass(7_000);
  const underway = connection.request(apis.listGroups, { statesFilter: [], typesFilter: [] });
  await scripted.pass(2_500);
  const waiting = [4, 5, 6].map(cap => connection.request(apis.describeGroups, { groups: [] }, { cap }));
  scripted.brokers[0]!.on(apis.describeGroups, () => ({ throttleTimeMs: 0, groups: [] }));
  await scripted.settle(Promise.all([underway, ...waiting]));
  assert.deepEqual(
    scripted.requests.slice(3).map(({ api, version }) => (api === 'DescribeGroups' ? `${api} ${version}` : api)),
    ['ListGroups', 'Metadata', 'Metadata', 'DescribeGroups 4', 'DescribeGroups 5', 'DescribeGroups 6'],
  );
  await scripted.pass(60_000);
  assert.equal(proofs(), 3);
  assert.ok(connection.isOpen);
});

test('a proof that is refused at first or later ends the connection with the reason', async () => {
  const { connect, scripted } = start();
  const refused = new Error('the token was revoked');
  await assert.rejects(connect({ authenticate: () => Promise.reject(refused) }), refused);
  let proofs = 0;
  const connection = await connect({
    authenticate: () => (proofs++ === 0 ? Promise.resolve(1_000) : Promise.reject(refused)),
  });
  await scripted.pass(2_000);
  assert.equal(connection.isOpen, false);
  await assert.rejects(connection.request(apis.metadata, ALL_TOPICS), refused);
});

test('a renewal that hangs ends the connection, and what waits for it fails', async () => {
  const { connect, scripted } = start();
  let proofs = 0;
  const connection = await connect({
    authenticate: () => (proofs++ === 0 ? Promise.resolve(1_000) : new Promise<number>(() => undefined)),
  });
  await scripted.pass(1_000);
  const waiting = connection.request(apis.metadata, ALL_TOPICS);
  await assert.rejects(scripted.settle(waiting), code('MR4203', /re-authentication/));
});
