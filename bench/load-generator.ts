/**
 * Pre-encoded load: Produce requests whose bytes are made once, sent over a few connections with a fixed number under way, and
 * answers that are only counted (and checked for errors). It costs next to nothing, so the broker is what is measured.
 *
 *     node bench/load-generator.ts PORT TOPIC PARTITIONS RECORD_BYTES REQUEST_BYTES TOTAL_BYTES
 *
 * Prints `bytes seconds`: bytes of record batches, and the time from the first request to the last acknowledgement.
 */
import net from 'node:net';
import { apis, decodeResponse, encodeRequest, Reader } from '../src/wire/index.ts';
import { RecordBatchBuilder } from '../src/wire/records/index.ts';

const [port, topic, partitions, recordBytes, requestBytes, totalBytes] = process.argv
  .slice(2)
  .map((text, i) => (i === 1 ? text : Number(text))) as [number, string, number, number, number, number];
const VERSION = 9;
const CONNECTIONS = 2;
const UNDERWAY = 8;

/** One request a partition: a batch of records with bytes that no codec or file system can shorten. */
function requestFor(partition: number): { frame: Buffer; batchBytes: number } {
  const builder = new RecordBatchBuilder(requestBytes + 1024);
  const value = Buffer.alloc(recordBytes);
  for (let i = 0; i < recordBytes; i++) value[i] = (Math.imul(i + partition, 2_654_435_761) >>> 13) & 0xff;
  while (builder.sizeBytes + recordBytes + 20 <= requestBytes) builder.append(1_700_000_000_000, null, value);
  const records = builder.finish();
  const pieces = encodeRequest(apis.produce, VERSION, partition, 'load', {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
  });
  return { frame: Buffer.concat(pieces), batchBytes: records.length };
}

const requests = Array.from({ length: partitions }, (_, partition) => requestFor(partition));
let sent = 0;
let acknowledged = 0;
let next = 0;
const started = performance.now();

await Promise.all(
  Array.from({ length: CONNECTIONS }, async () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    await new Promise((resolve, reject) => {
      let pending = Buffer.alloc(0);
      const underway: number[] = [];
      const pump = (): void => {
        while (underway.length < UNDERWAY && sent < totalBytes) {
          const { batchBytes, frame } = requests[next++ % partitions]!;
          socket.write(frame);
          sent += batchBytes;
          underway.push(batchBytes);
        }
        if (underway.length === 0) resolve(undefined);
      };
      socket.on('connect', pump);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the broker closed the connection')));
      socket.on('data', chunk => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
          const end = 4 + pending.readInt32BE(0);
          const reader = new Reader(pending.subarray(4, end));
          reader.int32();
          const answer = decodeResponse(apis.produce, VERSION, reader);
          const code = answer.responses[0]!.partitionResponses[0]!.errorCode;
          if (code !== 0) return reject(new Error(`Produce was answered with ${code}`));
          acknowledged += underway.shift()!;
          pending = pending.subarray(end);
        }
        pump();
      });
    });
    socket.removeAllListeners('close');
    socket.destroy();
  }),
);
process.stdout.write(`${acknowledged} ${(performance.now() - started) / 1_000}\n`);
