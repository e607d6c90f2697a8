/** The certificates of tests are ones that Node and, where it is there, OpenSSL take for good. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { CertificateAuthority } from './certificates.ts';

test('a certificate is signed by its authority and has the names and times that were asked for', () => {
  const authority = new CertificateAuthority();
  const toMs = Date.UTC(2061, 2, 3, 4, 5, 6);
  const { cert, key } = authority.issue({
    subject: [
      ['C', 'DE'],
      ['O', 'shop, “main”'],
      ['CN', 'writer'],
    ],
    names: ['broker.test', '127.0.0.1'],
    toMs,
  });
  const [parsed, root] = [new X509Certificate(cert), new X509Certificate(authority.cert)];
  assert.ok(root.ca && root.verify(root.publicKey) && parsed.verify(root.publicKey) && parsed.checkIssued(root));
  assert.ok(parsed.checkPrivateKey(createPrivateKey(key)));
  assert.equal(parsed.subject, 'C=DE\nO=shop\\, “main”\nCN=writer');
  assert.equal(parsed.subjectAltName, 'DNS:broker.test, IP Address:127.0.0.1');
  assert.equal(parsed.validToDate.getTime(), toMs);
});
