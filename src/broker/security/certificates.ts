/**
 * Certificates of a listener: read from files, looked at again every few seconds, taken anew when their bytes have changed.
 *
 * Content is watched, not names or times: secrets of a cluster manager are links to links whose targets are exchanged.
 * What does not fit together (a key that is written before its certificate) is left until it does; it is told once.
 *
 * Invariants
 * I1 a listener goes on with the last certificate that was good.
 * I2 new connections get the new certificate; open ones are not touched.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { type Io, type Listener, type Logger, messageOf, type ServerTlsOptions, type Timer } from '../../base/index.ts';
import { securityErrors } from './errors.ts';

export interface CertificateFiles {
  /** PEM with the certificate and what lies between it and its authority. */
  readonly certificate: string;
  readonly key: string;
  readonly keyPassword?: string;
  /** PEM with the authorities that sign certificates of clients. */
  readonly ca?: string;
  readonly clientAuth?: 'none' | 'optional' | 'required';
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** How often the files are looked at. */
  readonly watchMs?: number;
}

const WATCH_MS = 5_000;

export class ListenerCertificates {
  private readonly io: Io;
  private readonly logger: Logger;
  private readonly name: string;
  private readonly files: CertificateFiles;
  private hash = '';
  private lastFailure = '';
  private timer: Timer | undefined;
  /** When the first certificate of the chain ends. */
  expiresMs = 0;
  /** Taken since the start, the first one not counted. */
  reloads = 0;
  failedReloads = 0;

  constructor(io: Io, logger: Logger, name: string, files: CertificateFiles) {
    this.io = io;
    this.logger = logger;
    this.name = name;
    this.files = files;
  }

  /** Throws MR5421 when they cannot be used. */
  load(): ServerTlsOptions {
    try {
      const { hash, options } = this.read();
      this.hash = hash;
      this.expiresMs = expiryOf(options.cert!);
      return options;
    } catch (error) {
      throw securityErrors.badCertificate({ listener: this.name, reason: messageOf(error) }, error);
    }
  }

  watch(listener: Listener): void {
    const { watchMs = WATCH_MS } = this.files;
    const look = (): void => {
      this.look(listener);
      this.timer = this.io.clock.after(watchMs, look, { background: true });
    };
    this.timer = this.io.clock.after(watchMs, look, { background: true });
  }

  close(): void {
    this.timer?.cancel();
  }

  /** @internal one look at the files */
  look(listener: Listener): void {
    try {
      const { hash, options } = this.read();
      if (hash === this.hash) return;
      this.hash = hash;
      const expiresMs = expiryOf(options.cert!);
      listener.setTls(options);
      this.expiresMs = expiresMs;
      this.reloads++;
      this.lastFailure = '';
      this.logger.info(`listener ${this.name} has a new certificate`, { until: new Date(expiresMs).toISOString() });
    } catch (error) {
      const problem = securityErrors.badCertificate({ listener: this.name, reason: messageOf(error) }, error);
      if (problem.message === this.lastFailure) return;
      this.lastFailure = problem.message;
      this.failedReloads++;
      this.logger.error(`${problem.message}; the old one stays`, { code: problem.code, help: problem.help });
    }
  }

  private read(): { readonly hash: string; readonly options: ServerTlsOptions } {
    const { ca, certificate, clientAuth, key, keyPassword, minVersion } = this.files;
    const read = (path: string): Uint8Array => this.io.files.readFile(path);
    const options = {
      cert: read(certificate),
      key: read(key),
      ...(ca !== undefined && { ca: read(ca) }),
      ...(keyPassword !== undefined && { passphrase: keyPassword }),
      ...(clientAuth !== undefined && { clientAuth }),
      ...(minVersion !== undefined && { minVersion }),
    };
    const hash = createHash('sha256');
    for (const bytes of [options.cert, options.key, options.ca]) hash.update(bytes ?? '').update('\0');
    return { hash: hash.digest('hex'), options };
  }
}

function expiryOf(pem: string | Uint8Array): number {
  return new X509Certificate(pem).validToDate.getTime();
}
