/** The seam's TLS options in Node's words. */
import type { SecureContextOptions } from 'node:tls';
import type { TlsOptions } from './types.ts';

export function tlsSettings(
  options: TlsOptions,
): SecureContextOptions & { rejectUnauthorized?: boolean; requestCert?: boolean } {
  const text = (value: string | Uint8Array): string | Buffer =>
    typeof value === 'string' ? value : Buffer.from(value);
  return {
    minVersion: options.minVersion ?? 'TLSv1.2',
    rejectUnauthorized: options.verify ?? true,
    ...(options.ca !== undefined && { ca: text(options.ca) }),
    ...(options.cert !== undefined && { cert: text(options.cert) }),
    ...(options.key !== undefined && { key: text(options.key) }),
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    ...(options.requestCert !== undefined && { requestCert: options.requestCert }),
  };
}
