/** Servers that belong to the process alone: a Unix socket for control, HTTP for health and metrics. */
import fs from 'node:fs';
import net from 'node:net';
import type { Address } from './types.ts';

/** An `import` would read every export, and with `WebSocket` load a whole HTTP client: 12 MB and 20 ms. */
const http = process.getBuiltinModule('node:http');

export interface LocalConnection {
  send(line: string): void;
  onLine(handler: (line: string) => void): void;
  onClose(handler: () => void): void;
  close(): void;
}

/** Longest line that is taken; who sends a longer one is cut off. */
const LINE_CHARS_MAX = 16 * 1024 * 1024;

function lines(socket: net.Socket): LocalConnection {
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  return {
    send: line => {
      if (socket.writable) socket.write(`${line}\n`);
    },
    onLine: handler => {
      let rest = '';
      socket.on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        if (rest.length > LINE_CHARS_MAX) socket.destroy();
        for (const part of parts) handler(part);
      });
    },
    onClose: handler => {
      socket.on('close', handler);
    },
    close: () => socket.end(),
  };
}

/** Rejects with ECONNREFUSED or ENOENT when nobody listens. */
export function connectLocal(path: string): Promise<LocalConnection> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('connect', () => resolve(lines(socket)));
    socket.once('error', reject);
  });
}

/** Only this user can connect. Returns what closes it; the socket's file goes with it. */
export function listenLocal(path: string, onConnection: (connection: LocalConnection) => void): Promise<() => void> {
  const server = net.createServer(socket => onConnection(lines(socket)));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      fs.chmodSync(path, 0o600);
      resolve(() => server.close());
    });
  });
}

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface HttpServer {
  readonly address: Address;
  close(): Promise<void>;
}

export function listenHttp(
  address: Address,
  bodyBytesMax: number,
  handle: (request: HttpRequest) => HttpReply | undefined,
): Promise<HttpServer> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bodyBytesMax) chunks.push(chunk);
      else if (!response.headersSent) response.writeHead(413, { connection: 'close' }).end('too large\n');
    });
    request.on('end', () => {
      const { headers, method = 'GET', url = '/' } = request;
      if (response.headersSent) return;
      const reply = handle({ method, path: url, headers, body: Buffer.concat(chunks) });
      // No reply: the request is left hanging, as a stuck server would.
      if (!reply) return;
      response.writeHead(reply.status, { 'content-type': reply.type }).end(reply.body);
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      const bound = server.address() as net.AddressInfo;
      resolve({
        address: { host: bound.address, port: bound.port },
        close: () =>
          new Promise(done => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
