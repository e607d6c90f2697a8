/**
 * Request and response frames at random: made up, and changed copies of frames of real clients. Each reads as a message or
 * is refused with MR4001; nothing else is thrown, and what is read can be written again.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../base/index.ts';
import { fuzz } from '../testing/fuzz.ts';
import type { AnyApi } from './api.ts';
import { decodeRequestHeader, decodeResponse, encodeRequest, encodeResponse } from './frame.ts';
import { allApis } from './generated/apis.ts';
import { Reader } from './reader.ts';

const apis = new Map((allApis as readonly AnyApi[]).map(api => [api.key, api]));
const corpus = join(import.meta.dirname, '../../test/corpus/wire');

interface Captured {
  readonly api: string;
  readonly version: number;
  readonly direction: 'request' | 'response';
  readonly bytes: string;
}

const captured = globSync('*.jsonl', { cwd: corpus })
  .sort()
  .flatMap(file => readFileSync(join(corpus, file), 'utf8').trim().split('\n'))
  .map(line => JSON.parse(line) as Captured);
const byName = new Map([...apis.values()].map(api => [api.name, api]));

/** As a broker reads it. */
function readRequest(frame: Uint8Array): void {
  const reader = new Reader(frame);
  const { apiKey, apiVersion, clientId, correlationId } = decodeRequestHeader(
    reader,
    key => apis.get(key)?.flexibleSince,
  );
  const api = apis.get(apiKey);
  if (!api || apiVersion < api.minVersion || apiVersion > api.maxVersion) return;
  const message = api.decodeRequest(reader, apiVersion);
  reader.expectEnd();
  encodeRequest(api, apiVersion, correlationId, clientId, message);
}

/** As a client reads the answer to what it asked. */
function readResponse(api: AnyApi, version: number, frame: Uint8Array): void {
  const reader = new Reader(frame);
  const correlationId = reader.int32();
  encodeResponse(api, version, correlationId, decodeResponse(api, version, reader) as never);
}

function expectMalformed(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof MillraceError && error.code === 'MR4001', String(error));
  }
}

/** Bytes changed, left out, put in or doubled, and numbers of a length's size set to what hurts. */
function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let copy = Buffer.from(bytes);
  for (let i = random.below(4); i >= 0; i--) {
    const at = random.below(copy.length);
    switch (random.below(6)) {
      case 0:
        copy[at] = random.below(256);
        break;
      case 1:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + random.below(9))]);
        break;
      case 2:
        copy = Buffer.concat([copy.subarray(0, at), random.bytes(random.below(9)), copy.subarray(at)]);
        break;
      case 3:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(random.below(at + 1))]);
        break;
      case 4:
        if (at + 4 <= copy.length) copy.writeInt32BE([-1, -2, 0x7fff_ffff, -0x8000_0000][random.below(4)]!, at);
        break;
      default:
        copy.fill(0xff, at, Math.min(copy.length, at + 5));
    }
    if (copy.length === 0) return copy;
  }
  return copy;
}

test('frames of real clients, changed, are read or refused', () => {
  fuzz(1, random => {
    const { api: name, bytes, direction, version } = captured[random.below(captured.length)]!;
    const frame = mutated(random, Buffer.from(bytes, 'hex'));
    expectMalformed(() => {
      if (direction === 'request') readRequest(frame);
      else readResponse(byName.get(name)!, version, frame);
    });
  });
});

test('frames of random bytes are read or refused', () => {
  const all = [...apis.values()];
  fuzz(2, random => {
    const api = all[random.below(all.length)]!;
    const version = api.minVersion + random.below(api.maxVersion - api.minVersion + 1);
    // Small numbers, so that lengths and counts fit now and then.
    const body = Buffer.from(random.bytes(random.below(300))).map(byte => (random.below(3) > 0 ? byte % 4 : byte));
    const head = Buffer.alloc(8);
    head.writeInt16BE(api.key);
    head.writeInt16BE(version, 2);
    expectMalformed(() => readRequest(Buffer.concat([head, body])));
    expectMalformed(() => readResponse(api, version, Buffer.concat([head.subarray(0, 4), body])));
  });
});
