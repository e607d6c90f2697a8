/**
 * Random data through every codec, both ways: what we compress, Kafka's own classes inflate (`java/Codecs.java`), and what
 * they compress we inflate. `SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SeededRandom } from '../../src/base/index.ts';
import { compress, decompress } from '../../src/wire/compression/index.ts';
import { peerLibs } from './peers/fetch.ts';

const RUNS = 60;
const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`SEED=${seed}\n`);

const SOURCE = join(import.meta.dirname, 'java/Codecs.java');
const child = spawn('java', ['-Xmx256m', '-cp', join(peerLibs('kafka-4.2.0'), '*'), SOURCE], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const waiting: ((answer: Buffer) => void)[] = [];
let pending = Buffer.alloc(0);
child.stdout.on('data', (chunk: Buffer) => {
  pending = Buffer.concat([pending, chunk]);
  while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE()) {
    const end = 4 + pending.readInt32BE();
    waiting.shift()!(pending.subarray(4, end));
    pending = pending.subarray(end);
  }
});
after(() => {
  child.stdin.end();
});

async function kafka(direction: 'compress' | 'inflate', codec: number, bytes: Uint8Array): Promise<Buffer> {
  const head = Buffer.alloc(6);
  head.writeInt32BE(2 + bytes.length);
  head.writeInt8(direction === 'compress' ? 0 : 1, 4);
  head.writeInt8(codec, 5);
  const answer = await new Promise<Buffer>(resolve => {
    waiting.push(resolve);
    child.stdin.write(Buffer.concat([head, bytes]));
  });
  if (answer[0] !== 0) throw new Error(`Kafka: ${answer.toString('utf8', 1)}`);
  return answer.subarray(1);
}

/** Text, noise and repetitions of random lengths, up to some blocks of every codec. */
function randomData(random: SeededRandom): Buffer {
  const parts: Buffer[] = [];
  for (let i = random.below(6); i >= 0; i--) {
    const length = random.below(random.below(4) === 0 ? 200_000 : 3_000);
    const kind = random.below(3);
    if (kind === 0) parts.push(Buffer.from(random.bytes(length)));
    else if (kind === 1) parts.push(Buffer.alloc(length, random.below(256)));
    else parts.push(Buffer.from(`{"event": ${random.below(1_000)}, "severity": "high"}\n`.repeat(1 + (length >> 5))));
  }
  return Buffer.concat(parts);
}

for (const [name, codec] of Object.entries(CODECS)) {
  test(`${name}, ${RUNS} times, both ways`, async () => {
    const random = new SeededRandom(seed + codec);
    for (let run = 0; run < RUNS; run++) {
      const data = run === 0 ? Buffer.alloc(0) : randomData(random);
      const ours = compress(codec, data);
      assert.ok(data.equals(await kafka('inflate', codec, ours)), `ours, run ${run}, ${data.length} bytes`);
      const theirs = await kafka('compress', codec, data);
      assert.ok(data.equals(decompress(codec, theirs)), `theirs, run ${run}, ${data.length} bytes`);
      if (data.length > 0) await assert.rejects(kafka('inflate', codec, ours.subarray(0, ours.length >> 1)), /Kafka: /);
    }
  });
}
