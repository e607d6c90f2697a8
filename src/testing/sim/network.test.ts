/** The simulated network and its machines keep their own rules: what arrives is in order, whatever is held up, lost or stopped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from '../../base/index.ts';
import { type LinkFault, SimNetwork } from './network.ts';
import { Machine, World } from './world.ts';

const ADDRESS = { host: 'h', port: 1 };

class Rig {
  readonly world: World;
  readonly network: SimNetwork;
  readonly client: Machine;
  readonly server: Machine;
  readonly accepted: Connection[] = [];
  /** What the server got, connection by connection. */
  readonly got: string[] = [];
  readonly ends: string[] = [];

  constructor(seed: number) {
    this.world = new World(seed);
    this.network = new SimNetwork(this.world);
    this.client = new Machine(this.world);
    this.server = new Machine(this.world);
    void this.network.of(this.server).listen(ADDRESS, {
      onConnection: connection => {
        const number = this.accepted.push(connection) - 1;
        this.got.push('');
        this.ends.push('');
        connection.start({
          onData: chunk => (this.got[number] += Buffer.from(chunk).toString()),
          onClose: error => (this.ends[number] = error ? 'reset' : 'closed'),
        });
      },
    });
  }

  async connect(): Promise<Connection> {
    const connection = await this.world.settle(this.network.of(this.client).connect(ADDRESS, { timeoutMs: 1_000 }));
    connection.start({ onData: () => undefined, onClose: () => undefined });
    return connection;
  }
}

const many = (letter: string): Buffer[] => Array.from({ length: 5 }, () => Buffer.from(letter.repeat(4_000)));

test('bytes that are held up arrive whole and in order, also when their sender has given up; others overtake them', async () => {
  let overtaken = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const rig = new Rig(seed);
    let late = 0;
    rig.network.onLate = () => late++;
    const first = await rig.connect();
    first.write(many('a'));
    rig.network.breakAll('stall');
    first.write(many('b'));
    first.destroy();
    const second = await rig.connect();
    second.write([Buffer.from('c')]);
    await rig.world.run(rig.world.time + 50);
    if (rig.got[1] === 'c' && rig.got[0]!.length < 40_000) overtaken++;
    await rig.world.run(rig.world.time + 10_000);
    assert.equal(rig.got[0], 'a'.repeat(20_000) + 'b'.repeat(20_000));
    assert.equal(rig.ends[0], 'reset');
    assert.ok(late > 0);
  }
  assert.ok(overtaken > 5, `${overtaken}`);
});

test('what is muted or deafened tells nobody; what is cut tells both', async () => {
  const endsOf = async (kind: LinkFault): Promise<readonly [string, string]> => {
    const rig = new Rig(3);
    const connection = await rig.connect();
    rig.network.breakOne(kind);
    connection.write([Buffer.from('x')]);
    await rig.world.run(rig.world.time + 10_000);
    return [rig.got[0]!, rig.ends[0]!];
  };
  assert.deepEqual(await endsOf('mute'), ['', '']);
  assert.deepEqual(await endsOf('cut'), ['', 'reset']);
});

test('connections come late or never, and a time-out tells the client; the other side may hold one that says nothing', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const rig = new Rig(seed);
    rig.network.isLossy = true;
    const made = await rig.connect().then(
      () => 'connected',
      (error: Error) => error.message,
    );
    await rig.world.run(rig.world.time + 5_000);
    outcomes.add(`${made} ${rig.accepted.length} ${rig.ends[0] ?? ''}`);
  }
  const expected = ['ETIMEDOUT 0 ', 'ETIMEDOUT 1 ', 'ETIMEDOUT 1 reset', 'connected 1 '];
  assert.deepEqual([...outcomes].sort(), expected);
});

test('a machine that is stopped does in order what came meanwhile; its clock on the wall may jump, the other does not', async () => {
  const rig = new Rig(1);
  const connection = await rig.connect();
  const io = rig.server.io(rig.network.of);
  const fired: number[] = [];
  for (const ms of [10, 20, 3_000]) io.clock.after(ms, () => fired.push(ms));
  const start = rig.world.time;
  rig.server.stop(1_000);
  connection.write(many('a'));
  await rig.world.run(start + 500);
  connection.write(many('b'));
  await rig.world.run(start + 999);
  assert.deepEqual([rig.got[0] ?? '', fired], ['', []]);
  await rig.world.run(start + 1_100);
  assert.deepEqual([rig.got[0], fired], ['a'.repeat(20_000) + 'b'.repeat(20_000), [10, 20]]);
  const [now, monotonic] = [io.clock.now(), io.clock.monotonic()];
  rig.server.wall.offsetMs = -5_000;
  assert.equal(io.clock.now(), now - 5_000);
  assert.equal(io.clock.monotonic(), monotonic);
  await rig.world.run(start + 5_000);
  assert.deepEqual(fired, [10, 20, 3_000]);
});
