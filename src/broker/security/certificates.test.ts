/** Certificates in files: taken anew by content, kept when what is there does not fit, told once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Io, type Listener, type Logger, MillraceError, silentLogger } from '../../base/index.ts';
import { CertificateAuthority } from '../../testing/certificates.ts';
import { ListenerCertificates } from './certificates.ts';

test('new bytes are taken, the same bytes are not, and what does not fit leaves the old ones', () => {
  const authority = new CertificateAuthority();
  const toMs = Date.UTC(2040, 0, 1);
  const [first, second] = [toMs, toMs + 86_400_000].map(end =>
    authority.issue({ subject: [['CN', 'server']], toMs: end }),
  );
  const files = new Map<string, string>([
    ['/cert', first!.cert],
    ['/key', first!.key],
  ]);
  const io = {
    files: {
      readFile: (path: string) => {
        const text = files.get(path);
        if (text === undefined) throw new Error(`no file ${path}`);
        return Buffer.from(text);
      },
    },
  } as unknown as Io;
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: message => errors.push(message) };
  const certificates = new ListenerCertificates(io, logger, 'public', { certificate: '/cert', key: '/key' });
  assert.equal(Buffer.from(certificates.load().cert!).toString(), first!.cert);
  assert.equal(certificates.expiresMs, toMs);
  const taken: string[] = [];
  const listener = {
    setTls: ({ cert, key }: { cert: Uint8Array; key: Uint8Array }) => {
      if (Buffer.from(cert).toString() === second!.cert && Buffer.from(key).toString() !== second!.key)
        throw new Error('mismatch');
      taken.push(Buffer.from(cert).toString());
    },
  } as unknown as Listener;
  certificates.look(listener);
  assert.deepEqual(taken, []);
  files.set('/cert', second!.cert);
  certificates.look(listener);
  certificates.look(listener);
  assert.deepEqual([taken.length, errors.length, certificates.expiresMs], [0, 1, toMs]);
  files.delete('/key');
  certificates.look(listener);
  certificates.look(listener);
  assert.equal(errors.length, 2);
  files.set('/key', second!.key);
  certificates.look(listener);
  assert.deepEqual(taken, [second!.cert]);
  assert.deepEqual(
    [certificates.reloads, certificates.failedReloads, certificates.expiresMs],
    [1, 2, toMs + 86_400_000],
  );
});

test('files that are missing or no certificates are refused at the start', () => {
  const io = { files: { readFile: () => Buffer.from('nothing') } } as unknown as Io;
  const certificates = new ListenerCertificates(io, silentLogger, 'public', { certificate: '/cert', key: '/key' });
  assert.throws(
    () => certificates.load(),
    error => error instanceof MillraceError && error.code === 'MR5421' && /listener public/.test(error.message),
  );
});
