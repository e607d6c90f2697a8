/** What a connection reads and writes of frames without a codec. */

export function lengthOf(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return length;
}

export function sizeOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

/** Produce is API 0. Of a frame that has hardly begun it is not known. */
export function isProduce(begun: Uint8Array): boolean {
  return begun.length >= 2 && begun[0] === 0 && begun[1] === 0;
}
