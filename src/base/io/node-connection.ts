/**
 * One socket behind the seam. Reading: chunks as Node hands them out, or straight into the caller's view (`into`).
 * Writing: pieces go out in one `writev`; `onFlushed` runs when the kernel has taken them.
 */
import net from 'node:net';
import tls from 'node:tls';
import type { Address, Connection, ConnectionHandler, TlsPeer } from './types.ts';

interface WithHandle {
  _handle?: unknown;
}

export class NodeConnection implements Connection {
  readonly remote: Address;
  readonly local: Address;
  readonly tlsPeer?: TlsPeer;
  private socket: net.Socket;
  private error: Error | undefined;

  constructor(socket: net.Socket, tlsPeer?: TlsPeer) {
    this.socket = socket;
    if (tlsPeer) this.tlsPeer = tlsPeer;
    this.remote = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.local = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 };
    // An error before `start` is kept for `onClose`; without a listener it would end the process.
    socket.on('error', error => {
      this.error = error;
    });
  }

  start(handler: ConnectionHandler): void {
    const isDirect = handler.into !== undefined && this.rewrap(handler);
    const { socket } = this;
    if (!isDirect) socket.on('data', chunk => this.deliver(handler, chunk));
    socket.on('drain', () => handler.onDrain?.());
    socket.on('end', () => handler.onEnd?.());
    socket.on('close', () => handler.onClose(this.error));
    socket.on('error', error => {
      this.error = error;
    });
    if (socket.destroyed) handler.onClose(this.error);
    else socket.resume();
  }

  write(pieces: readonly Uint8Array[], onFlushed?: () => void): boolean {
    const { socket } = this;
    if (socket.destroyed || !socket.writable) {
      onFlushed?.();
      return true;
    }
    const last = pieces.length - 1;
    if (last > 0) socket.cork();
    let canGoOn = true;
    pieces.forEach((piece, i) => {
      canGoOn = i === last && onFlushed ? socket.write(piece, () => onFlushed()) : socket.write(piece);
    });
    if (last > 0) socket.uncork();
    return canGoOn;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Moves the handle into a socket that reads into the handler's views; false where that is not possible. */
  private rewrap(handler: ConnectionHandler): boolean {
    const old = this.socket;
    const handle = (old as unknown as WithHandle)._handle;
    if (old instanceof tls.TLSSocket || handle === undefined || handle === null || old.readableLength > 0) return false;
    let view: Uint8Array | undefined;
    const options: net.SocketConstructorOpts & { handle: unknown; onread: net.OnReadOpts } = {
      handle,
      allowHalfOpen: true,
      pauseOnCreate: true,
      onread: {
        buffer: () => {
          view = handler.into?.();
          // Without a view reading is paused; what arrives before the pause takes effect goes into a chunk of its own.
          return (view ??= new Uint8Array(65_536));
        },
        callback: (count: number) => {
          handler.onData(view!.subarray(0, count));
          return true;
        },
      },
    } as never;
    (old as unknown as WithHandle)._handle = null;
    old.removeAllListeners();
    this.socket = new net.Socket(options);
    // A listener counts the socket that it accepted: that one ends with the one that took its handle over.
    this.socket.once('close', () => old.destroy());
    this.socket.setNoDelay(true);
    return true;
  }

  private deliver(handler: ConnectionHandler, chunk: Uint8Array): void {
    if (!handler.into) {
      handler.onData(chunk);
      return;
    }
    let rest = chunk;
    while (rest.length > 0) {
      const view = handler.into();
      if (!view) {
        this.socket.pause();
        handler.onData(rest);
        return;
      }
      const piece = rest.subarray(0, view.length);
      view.set(piece);
      handler.onData(view.subarray(0, piece.length));
      rest = rest.subarray(piece.length);
    }
  }
}

/** A listener of both families names IPv4 addresses in IPv6's form. */
function plainHost(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}
