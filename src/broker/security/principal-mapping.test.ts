/** The rules of Kafka's documentation, in order, with case, and the subjects of certificates. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { MillraceError } from '../../base/index.ts';
import { CertificateAuthority } from '../../testing/certificates.ts';
import { distinguishedName, mapPrincipal, parsePrincipalRules } from './principal-mapping.ts';

const RULES =
  'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/, RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, ' +
  'RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L, DEFAULT';

for (const [rules, name, mapped] of [
  [RULES, 'CN=serviceuser,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown', 'serviceuser'],
  [RULES, 'CN=adminUser,OU=Admin,O=Unknown,L=Unknown,ST=Unknown,C=Unknown', 'adminuser@admin'],
  [RULES, 'O=shop,cn=Writer.1', 'writer.1'],
  [RULES, 'O=shop', 'O=shop'],
  ['', 'CN=a,C=DE', 'CN=a,C=DE'],
  ['DEFAULT', 'CN=a', 'CN=a'],
  ['RULE:CN=(.*),C=(.*)/$2-$1/U', 'CN=a,C=de', 'DE-A'],
  ['RULE:CN=(\\w+)/x\\/$1/', 'CN=a', 'x/a'],
  ['RULE:CN=a/b/', 'CN=ab', undefined],
  ['RULE:CN=a/b/,RULE:CN=(.*)/$1/', 'CN=c', 'c'],
] as const) {
  test(`${rules || 'no rules'}: ${name} is ${mapped ?? 'nobody'}`, () => {
    assert.equal(mapPrincipal(parsePrincipalRules(rules), name), mapped);
  });
}

for (const rules of ['RULE:a/b', 'RULE:(/b/', 'RULE:a/b/X', 'OTHER', 'DEFAULT,RULE:a/b/c'])
  test(`${rules} is no list of rules`, () => {
    assert.throws(() => parsePrincipalRules(rules), MillraceError);
  });

test('a subject is printed last attribute first, with its commas escaped', () => {
  const { cert } = new CertificateAuthority().issue({
    subject: [
      ['C', 'DE'],
      ['O', 'shop, main'],
      ['CN', 'writer'],
    ],
  });
  assert.equal(distinguishedName(new X509Certificate(cert).raw), 'CN=writer,O=shop\\, main,C=DE');
});
