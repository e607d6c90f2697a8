/**
 * A proxy that keeps every frame that passes, both ways, byte for byte. Of a request it reads key, version and correlation
 * id, of a response the correlation id, which tells the request that it answers.
 */
import net from 'node:net';

export interface Frame {
  readonly apiKey: number;
  /** In which the body is written. */
  readonly version: number;
  readonly direction: 'request' | 'response';
  /** Header and body, without the size before them. */
  readonly bytes: Buffer;
}

const API_VERSIONS = 18;
const UNSUPPORTED_VERSION = 35;

type Asked = Map<number, { readonly apiKey: number; readonly version: number }>;

export interface Proxy {
  /** What passed since the last call. */
  take(): Frame[];
  close(): Promise<void>;
}

export async function startProxy(listen: net.AddressInfo, target: net.AddressInfo): Promise<Proxy> {
  let frames: Frame[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer(client => {
    const broker = net.connect({ host: target.address, port: target.port, localAddress: listen.address });
    const asked: Asked = new Map();
    pass(client, broker, bytes => frames.push(requestFrame(bytes, asked)));
    pass(broker, client, bytes => frames.push(responseFrame(bytes, asked)));
    for (const socket of [client, broker]) sockets.add(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.address, resolve);
  });
  return {
    take: () => {
      const taken = frames;
      frames = [];
      return taken;
    },
    close: () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function pass(from: net.Socket, to: net.Socket, keep: (frame: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  from.on('data', chunk => {
    to.write(chunk);
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE()) {
      const end = 4 + pending.readInt32BE();
      keep(Buffer.from(pending.subarray(4, end)));
      pending = pending.subarray(end);
    }
  });
  from.on('error', () => to.destroy());
  from.on('close', () => to.end());
}

function requestFrame(bytes: Buffer, asked: Asked): Frame {
  const [apiKey, version] = [bytes.readInt16BE(0), bytes.readInt16BE(2)];
  asked.set(bytes.readInt32BE(4), { apiKey, version });
  return { apiKey, version, direction: 'request', bytes };
}

function responseFrame(bytes: Buffer, asked: Asked): Frame {
  const request = asked.get(bytes.readInt32BE(0));
  if (request === undefined) throw new Error(`an answer to nothing: ${bytes.toString('hex', 0, 64)}`);
  // Who asks in a version that the broker does not know is told so in version 0.
  const isRefused = request.apiKey === API_VERSIONS && bytes.readInt16BE(4) === UNSUPPORTED_VERSION;
  return { ...request, version: isRefused ? 0 : request.version, direction: 'response', bytes };
}
