/** Frames out of streams that are cut anywhere, into slabs or private memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, makeArenaMemory, privateRoom, type Slab } from './arena.ts';
import { FrameReceiver } from './frame-receiver.ts';

const SLAB_BYTES = 131_072;
const arena = new Arena(makeArenaMemory(1024 * 1024), { slabBytes: SLAB_BYTES, reservedBytes: 65_536 });

function framed(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    frames.flatMap(frame => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(frame.length);
      return [length, frame];
    }),
  );
}

test('frames come out whole and in order, however the stream is cut and wherever its bytes arrive', () => {
  const size = fc.oneof(fc.nat(20), fc.nat(70_000), fc.nat(200_000));
  fc.assert(
    fc.property(
      fc.array(size, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 10 }),
      fc.boolean(),
      (sizes, cuts, isDirect) => {
        const frames = sizes.map((length, i) => new Uint8Array(length).fill(i + 1));
        const stream = framed(frames);
        const got: Uint8Array[] = [];
        const owners: Slab[] = [];
        const receiver = new FrameReceiver({
          frameBytesMax: 1_000_000,
          room: bytes => arena.room(bytes),
          onFrame: (frame, owner) => {
            got.push(Uint8Array.from(frame));
            if (owner) owners.push(owner);
          },
          onBadLength: () => assert.fail(),
        });
        for (let at = 0, i = 0; at < stream.length; i++) {
          const piece = stream.subarray(at, at + cuts[i % cuts.length]!);
          const view = receiver.into();
          assert.ok(view.length > 0);
          if (isDirect) {
            const part = view.subarray(0, Math.min(view.length, piece.length));
            part.set(piece.subarray(0, part.length));
            receiver.received(part);
            at += part.length;
          } else {
            receiver.received(piece);
            at += piece.length;
          }
        }
        assert.deepEqual(got, frames);
        receiver.close();
        for (const owner of owners) owner.release();
        // The slab that the next room is cut from stays open.
        assert.ok(arena.freeSlabs >= arena.slabs - 1);
      },
    ),
    { numRuns: 60 },
  );
});

test('a length beyond the limit takes no memory and ends the stream; a frame that was begun gives its slab back', () => {
  let bad = 0;
  const receiver = new FrameReceiver({
    frameBytesMax: 100_000,
    room: bytes => arena.room(bytes),
    onFrame: () => assert.fail(),
    onBadLength: bytes => {
      bad = bytes;
    },
  });
  receiver.received(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]));
  assert.equal(bad, 0x7fff_ffff);
  receiver.received(framed([new Uint8Array(3)]));
  const begun = new FrameReceiver({
    frameBytesMax: 100_000,
    room: bytes => arena.room(bytes),
    onFrame: () => assert.fail(),
    onBadLength: () => assert.fail(),
  });
  begun.received(framed([new Uint8Array(90_000)]).subarray(0, 80_000));
  // A room that does not fit beside it opens the next slab; the first is free once it is given up.
  arena.room(SLAB_BYTES).owner!.release();
  const before = arena.freeSlabs;
  begun.close();
  assert.equal(arena.freeSlabs, before + 1);
});

test('a stream without room is held, and goes on where it stood when there is some', () => {
  const got: number[] = [];
  let hasRoom = false;
  const receiver = new FrameReceiver({
    frameBytesMax: 100_000,
    room: bytes => (hasRoom || bytes < 10 ? privateRoom(bytes) : undefined),
    onFrame: frame => got.push(frame.length),
    onBadLength: () => assert.fail(),
  });
  const stream = framed([new Uint8Array(5), new Uint8Array(50), new Uint8Array(6)]);
  receiver.received(stream.subarray(0, 20));
  receiver.received(stream.subarray(20));
  receiver.retry();
  assert.deepEqual(got, [5], 'nothing passes a frame that waits');
  hasRoom = true;
  receiver.retry();
  receiver.retry();
  assert.deepEqual(got, [5, 50, 6]);
  assert.equal(receiver.isInside, false);
});

test('without a free slab, and beyond the size of one, room is private', () => {
  const slabs: Slab[] = [];
  for (let slab = arena.take(); slab; slab = arena.take()) slabs.push(slab);
  arena.room(SLAB_BYTES);
  assert.equal(arena.room(SLAB_BYTES).owner, undefined);
  for (const slab of slabs) slab.release();
  assert.equal(arena.room(SLAB_BYTES + 1).owner, undefined);
  assert.equal(privateRoom(7).bytes.length, 7);
});
