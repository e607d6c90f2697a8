/** Servers that belong to the process alone: a Unix socket for control, HTTP for health and metrics. */
import http from 'node:http';
import net from 'node:net';
import type { Address } from './types.ts';

export interface LocalConnection {
  send(line: string): void;
  onLine(handler: (line: string) => void): void;
  onClose(handler: () => void): void;
  close(): void;
}

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

export function listenLocal(
  path: string,
  onConnection: (connection: LocalConnection) => void,
): Promise<() => Promise<void>> {
  const server = net.createServer(socket => onConnection(lines(socket)));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      resolve(() => new Promise(done => server.close(() => done())));
    });
  });
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;

export function listenHttp(
  address: Address,
  handle: (request: HttpRequest) => HttpReply | Promise<HttpReply> | undefined,
): Promise<{ readonly address: Address; close(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_BYTES_MAX) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => {
      const { headers, method = 'GET', url = '/' } = request;
      const reply = handle({ method, path: url, headers, body: Buffer.concat(chunks) });
      // No reply: the request is left hanging, as a stuck server would.
      if (!reply) return;
      void Promise.resolve(reply).then(({ body, status, type }) => {
        response.writeHead(status, { 'content-type': type });
        response.end(body);
      });
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
