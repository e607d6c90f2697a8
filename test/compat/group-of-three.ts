/**
 * One story for every client: a group of three shares a topic; one is killed (kill -9), the others take its partitions; all
 * stop in order; one comes back and goes on behind what was committed.
 *
 * A client is a program that prints the value of each record on a line of its own and commits what it has printed, and a way
 * to write values into partitions.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { nodeIo } from '../../src/base/io/node.ts';
import { WireClient } from '../../src/testing/index.ts';
import { apis, ZERO_UUID } from '../../src/wire/index.ts';

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

export interface GroupOfThree {
  readonly broker: string;
  /** Name of topic and group. */
  readonly name: string;
  readonly member: CommandLine;
  /** Writes values, spread over the partitions. */
  produce(values: readonly string[]): Promise<void>;
}

const MEMBERS = 3;
const COUNT = 300;
/** Until something that must happen has happened: slow machines included. */
const PATIENCE_MS = 90_000;

class Member {
  readonly seen: string[] = [];
  readonly process: ChildProcess;
  private errors = '';

  constructor({ args, command }: CommandLine) {
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: this.process.stdout! }).on('line', line => {
      if (line !== '') this.seen.push(line);
    });
    this.process.stderr!.on('data', chunk => {
      this.errors = `${this.errors}${chunk}`.slice(-2_000);
    });
  }

  get isOver(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isOver) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  check(): void {
    assert.ok(!this.isOver, `a member ended by itself: ${this.errors}`);
  }
}

export async function wireClient(broker: string): Promise<WireClient> {
  const [host, port] = broker.split(':');
  return WireClient.connect(nodeIo().network, { host: host!, port: Number(port) });
}

export async function createTopic(broker: string, name: string, numPartitions: number): Promise<void> {
  const client = await wireClient(broker);
  const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await client.ask(apis.createTopics, 7, { topics: [topic], timeoutMs: 10_000 });
  assert.equal(topics[0]!.errorCode, 0);
  client.destroy();
}

export async function tellOfThree({ broker, member, name, produce }: GroupOfThree): Promise<void> {
  await createTopic(broker, name, MEMBERS);
  const client = await wireClient(broker);
  const values = (from: number): string[] => Array.from({ length: COUNT }, (_, i) => String(from + i));
  const until = async (what: string, members: readonly Member[], isDone: () => boolean | Promise<boolean>) => {
    const end = performance.now() + PATIENCE_MS;
    while (!(await isDone())) {
      for (const each of members) each.check();
      assert.ok(performance.now() < end, `${name}: ${what}`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  };
  const ofNewerProtocol = async () => {
    const asked = { groupIds: [name], includeAuthorizedOperations: false };
    return (await client.ask(apis.consumerGroupDescribe, 0, asked)).groups[0];
  };
  const isShared = async (): Promise<boolean> => {
    const { groups } = await client.ask(apis.describeGroups, 5, { groups: [name] });
    const found = groups[0]!.members.length > 0 ? groups[0]! : await ofNewerProtocol();
    return found?.groupState === 'Stable' && found.members.length === MEMBERS;
  };
  const committed = async (): Promise<number> => {
    const topics = [{ name, topicId: ZERO_UUID, partitionIndexes: [0, 1, 2] }];
    const answer = await client.ask(apis.offsetFetch, 7, { groupId: name, topics, groups: [] });
    return answer.topics[0]!.partitions.reduce((sum, { committedOffset }) => sum + committedOffset, 0);
  };
  const members = Array.from({ length: MEMBERS }, () => new Member(member));
  const others = members.slice(1);
  const seen = (of: readonly Member[] = members): Set<string> => new Set(of.flatMap(each => each.seen));
  const hasAll = (wanted: readonly string[], of?: readonly Member[]) => (): boolean => {
    const found = seen(of);
    return wanted.every(value => found.has(value));
  };
  let back: Member | undefined;
  try {
    await until('three share the group', members, isShared);
    const first = values(0);
    await produce(first);
    await until('the first values', members, hasAll(first));
    for (const each of members) assert.ok(each.seen.length > 0, 'every member has a share');
    await members[0]!.end('SIGKILL');
    const second = values(1_000);
    await produce(second);
    await until('the values behind the kill', others, hasAll(second, others));
    await Promise.all(others.map(each => each.end('SIGTERM')));
    assert.equal(await committed(), 2 * COUNT, 'who stops in order has committed what it has seen');
    const third = values(2_000);
    await produce(third);
    back = new Member(member);
    await until('the values since', [back], hasAll(third, [back]));
    assert.deepEqual(back.seen.toSorted(), third.toSorted(), 'nothing comes again');
    await back.end('SIGTERM');
    assert.equal(await committed(), 3 * COUNT);
  } finally {
    await Promise.all([...members, ...(back ? [back] : [])].map(each => each.end('SIGKILL')));
    client.destroy();
  }
}
