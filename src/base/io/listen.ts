/**
 * Listeners of the real process, plain and TLS.
 *
 * A TLS listener looks at the first byte before the handshake takes over: 16 (hex) begins one, anything else is somebody who
 * speaks plaintext to it. Such a one is named to the owner and ended with the owner's bytes instead of a TLS alert, which a
 * plaintext client would take for something else (to a Java client it is a frame of 352,518,912 bytes).
 *
 *   socket ─► first bytes ─┬─ TLS ─► handshake ─┬─► connection, with server name and verified certificate
 *                          │                    └─ fails ─► refusal with the reason
 *                          └─ other ─► refusal with the bytes
 *
 * Certificates of clients are judged here and not by Node, which ends a connection without saying why.
 *
 * Invariants
 * I1 a certificate that a client shows is good under `ca`, or the client is refused, also where showing one is optional.
 * I2 who does not finish the handshake within `HANDSHAKE_MS` is ended.
 */
import net from 'node:net';
import tls from 'node:tls';
import { NodeConnection } from './node-connection.ts';
import { contextSettings } from './tls-settings.ts';
import type { Address, Listener, ListenOptions, ServerTlsOptions, TlsRefusal } from './types.ts';

const HANDSHAKE_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;
const TLS_HANDSHAKE = 0x16;
/** Enough to tell who it is. */
const FIRST_BYTES = 4;

export async function listen(address: Address, options: ListenOptions): Promise<Listener> {
  const { onConnection, tls: secured } = options;
  const accept = secured ? new TlsAcceptor(secured, options) : undefined;
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: secured === undefined }, socket => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    if (accept) accept.take(socket);
    else onConnection(new NodeConnection(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const bound = server.address() as net.AddressInfo;
  return {
    address: { host: bound.address, port: bound.port },
    setTls: next => accept?.setTls(next),
    close: () => new Promise(resolve => server.close(() => resolve())),
  };
}

class TlsAcceptor {
  private readonly options: ListenOptions;
  private readonly server: tls.Server;
  private clientAuth: ServerTlsOptions['clientAuth'];

  constructor(secured: ServerTlsOptions, options: ListenOptions) {
    this.options = options;
    this.clientAuth = secured.clientAuth;
    // Never listens by itself: sockets are handed to it.
    this.server = tls.createServer({
      ...contextSettings(secured),
      requestCert: this.asksForCertificates,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
      pauseOnConnect: true,
    });
    this.server.on('secureConnection', socket => this.secured(socket));
    this.server.on('tlsClientError', (error, socket) => {
      const remote = remoteOf(socket);
      socket.destroy();
      // A client that comes and goes without a word is a probe, or one that has thought better of it.
      if (!/ECONNRESET/.test(codeOf(error))) this.refused({ remote, reason: reasonOf(error) });
    });
  }

  private get asksForCertificates(): boolean {
    return this.clientAuth === 'optional' || this.clientAuth === 'required';
  }

  setTls(secured: ServerTlsOptions): void {
    this.server.setSecureContext(contextSettings(secured));
  }

  take(socket: net.Socket): void {
    const remote = remoteOf(socket);
    const give = (): void => {
      socket.destroy();
    };
    socket.on('error', give);
    socket.setTimeout(HANDSHAKE_MS, give);
    let first: Buffer = Buffer.alloc(0);
    const look = (): void => {
      for (let piece: Buffer | null; (piece = socket.read()) !== null; ) first = Buffer.concat([first, piece]);
      if (first[0] !== TLS_HANDSHAKE && first.length < FIRST_BYTES) {
        if (socket.readableEnded) give();
        return;
      }
      socket.removeListener('readable', look);
      socket.setTimeout(0);
      if (first[0] === TLS_HANDSHAKE) {
        socket.unshift(first);
        this.server.emit('connection', socket);
      } else socket.end(this.refused({ remote, first }));
    };
    socket.on('readable', look);
  }

  private secured(socket: tls.TLSSocket): void {
    const certificate = this.asksForCertificates ? socket.getPeerX509Certificate() : undefined;
    const isBad = certificate !== undefined && !socket.authorized;
    const isMissing = certificate === undefined && this.clientAuth === 'required';
    if (isBad || isMissing) {
      const reason = isBad
        ? `the client’s certificate is refused: ${String(socket.authorizationError)}`
        : 'the client shows no certificate';
      this.refused({ remote: remoteOf(socket), reason });
      socket.destroy();
      return;
    }
    const { servername } = socket;
    const serverName = typeof servername === 'string' && servername !== '' ? servername : undefined;
    this.options.onConnection(new NodeConnection(socket, { serverName, certificate: certificate?.raw }));
  }

  private refused(refusal: TlsRefusal): Uint8Array {
    return this.options.onTlsRefusal?.(refusal) ?? new Uint8Array(0);
  }
}

function remoteOf(socket: net.Socket): Address {
  return { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

/** `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA` says it in a word, the message with the library's line numbers. */
function reasonOf(error: Error): string {
  const code = codeOf(error);
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return `no handshake within ${HANDSHAKE_MS / 1_000} s`;
  return code.startsWith('ERR_SSL_') ? code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ') : error.message;
}
