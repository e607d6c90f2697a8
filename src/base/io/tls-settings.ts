/** The seam's TLS options in Node's words. */
import type { SecureContextOptions } from 'node:tls';
import type { ServerTlsOptions, TlsOptions } from './types.ts';

export function tlsSettings(
  options: TlsOptions,
): SecureContextOptions & { rejectUnauthorized: boolean; checkServerIdentity?: () => undefined } {
  return {
    ...contextSettings(options),
    rejectUnauthorized: options.verify ?? true,
    ...(options.verifyHost === false && { checkServerIdentity: () => undefined }),
  };
}

export function contextSettings({
  ca,
  cert,
  key,
  minVersion,
  passphrase,
  pfx,
}: ServerTlsOptions): SecureContextOptions {
  const text = (value: string | Uint8Array): string | Buffer =>
    typeof value === 'string' ? value : Buffer.from(value);
  return {
    minVersion: minVersion ?? 'TLSv1.2',
    ...(ca !== undefined && { ca: text(ca) }),
    ...(cert !== undefined && { cert: text(cert) }),
    ...(key !== undefined && { key: text(key) }),
    ...(pfx !== undefined && { pfx: text(pfx) }),
    ...(passphrase !== undefined && { passphrase }),
  };
}
