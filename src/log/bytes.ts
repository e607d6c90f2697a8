/** Integers of 64 bits as exact numbers below 2^53, big-endian, and views of bytes. */
const HIGH = 0x1_0000_0000;

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

export function writeInt64(target: Buffer, value: number, at: number): void {
  const high = Math.floor(value / HIGH);
  target.writeInt32BE(high, at);
  target.writeUInt32BE(value - high * HIGH, at + 4);
}

export function readInt64(source: Buffer, at: number): number {
  return source.readInt32BE(at) * HIGH + source.readUInt32BE(at + 4);
}
