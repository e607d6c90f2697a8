/**
 * Writes `test/corpus/wire/<client>.jsonl`: frames that foreign clients exchanged with our broker, byte for byte, each with
 * what Kafka's own classes read in it. Of each API, version and direction the first frame and the longest other one.
 *
 *     node tools/run.mjs tools/capture-frames/main.ts [CLIENT…]
 *
 * The broker listens on 127.0.0.2, tells 127.0.0.1 as its host, and the proxy listens there on the same port: nothing in a
 * frame is changed. Needs kcat, Java, `test/compat/peers/fetch.ts`, `npm ci` in `test/compat/clients`, and a loopback
 * network of more than one address (Linux).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { startTestBroker } from '../../src/testing/index.ts';
import { apis } from '../../src/wire/index.ts';
import { type CapturedFrame, judgesOf } from '../../test/compat/wire/captured-frame.ts';
import { Judge } from '../../test/compat/wire/judge.ts';
import { PARTITIONS } from '../../test/compat/peers/java-clients.ts';
import { JARS } from '../../test/compat/wire/kafka-schema.ts';
import { clients } from './clients.ts';
import { type Frame, startProxy } from './proxy.ts';

const CORPUS = join(import.meta.dirname, '../../test/corpus/wire');
const FRAME_BYTES_MAX = 1_500;

async function capture(use: (broker: string) => Promise<void>): Promise<Frame[]> {
  const server = await startTestBroker();
  // The oldest clients cannot make a topic with several partitions.
  await server.log.createTopic('', 'shared', PARTITIONS);
  const port = await freePort();
  const target = await server.broker.listen({
    address: { host: '127.0.0.2', port },
    advertised: { host: '127.0.0.1' },
  });
  const proxy = await startProxy(
    { address: '127.0.0.1', port, family: 'IPv4' },
    { address: target.host, port: target.port, family: 'IPv4' },
  );
  try {
    await use(`127.0.0.1:${port}`);
  } finally {
    await proxy.close();
    await server.close();
  }
  return proxy.take();
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Of each kind the first frame that is not too long, or else the shortest, and the longest that is not too long. */
function choose(frames: readonly Frame[]): Frame[] {
  const kinds = Map.groupBy(frames, ({ apiKey, version, direction }) => `${apiKey} ${version} ${direction}`);
  return [...kinds.values()]
    .flatMap(ofKind => {
      const byLength = ofKind.toSorted((a, b) => a.bytes.length - b.bytes.length);
      const isShort = ({ bytes }: Frame): boolean => bytes.length <= FRAME_BYTES_MAX;
      const first = ofKind.find(isShort) ?? byLength[0]!;
      const longest = byLength.findLast(isShort) ?? first;
      return longest.bytes.length > first.bytes.length ? [first, longest] : [first];
    })
    .sort((a, b) => a.apiKey - b.apiKey || a.version - b.version || a.direction.localeCompare(b.direction));
}

const judges = new Map(JARS.map(jar => [jar, new Judge(jar)]));

async function judged({ apiKey, version, direction, bytes }: Frame): Promise<CapturedFrame> {
  const api = apis.allApis.find(({ key }) => key === apiKey)!.name;
  const [judge] = judgesOf(`${api}${direction === 'request' ? 'Request' : 'Response'}`, version);
  if (judge === undefined) throw new Error(`no jar knows ${api} ${version}`);
  const { header, body } = await judges.get(judge)!.ask(direction, apiKey, version, bytes);
  return { api, version, direction, bytes: bytes.toString('hex'), judge, header, body };
}

mkdirSync(CORPUS, { recursive: true });
const wanted = process.argv.slice(2);
for (const [name, use] of Object.entries(clients)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const frames = await capture(use);
  const chosen = choose(frames);
  const lines = await Promise.all(chosen.map(async frame => `${JSON.stringify(await judged(frame))}\n`));
  writeFileSync(join(CORPUS, `${name}.jsonl`), lines.join(''));
  process.stdout.write(`${name}: ${lines.length} of ${frames.length} frames\n`);
}
await Promise.all([...judges.values()].map(judge => judge.close()));
