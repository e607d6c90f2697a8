/** Errors of listeners, authentication and access: MR542x to MR543x. */
import { defineErrors } from '../../base/index.ts';

export const securityErrors = defineErrors({
  badPrincipalRule: {
    code: 'MR5420',
    text: 'the principal mapping rule {rule} cannot be used: {reason}',
    exit: 78,
    help: 'Rules are RULE:pattern/replacement/ with L or U behind the last slash if wanted, or DEFAULT, separated by commas.',
  },
  badCertificate: {
    code: 'MR5421',
    text: 'the certificate of listener {listener} cannot be used: {reason}',
    exit: 78,
    help: 'Certificate (chain, PEM) and key must belong together; the CA file holds the authorities that sign clients.',
  },
  plaintextOnTls: {
    code: 'MR5422',
    text: '{what} on the TLS listener {listener}',
    help: 'Set security.protocol=SSL or SASL_SSL in the client, or connect to a plaintext listener.',
  },
  handshakeFailed: {
    code: 'MR5423',
    text: 'the TLS handshake on listener {listener} failed: {reason}',
    help: 'Compare the authorities that the client trusts, the name that it connects to, its TLS version and its certificate.',
  },
  unmappedPrincipal: {
    code: 'MR5424',
    text: 'no mapping rule takes the certificate subject {name}',
    help: 'Add a rule to ssl_principal_mapping_rules of the listener, or DEFAULT as the last one.',
  },
  notAuthenticated: {
    code: 'MR5425',
    text: '{api} before authentication on listener {listener}',
    help: 'Set security.protocol=SASL_SSL or SASL_PLAINTEXT and the mechanism in the client.',
  },
  gssapiToken: {
    code: 'MR5426',
    text: 'a GSSAPI token without a handshake',
    help: 'Clients of 0.9 know no other mechanism than Kerberos, which is not offered; use a newer client.',
  },
  outOfTurn: {
    code: 'MR5427',
    text: '{api} out of turn: {reason}',
    kafka: 34,
    help: 'This is a defect of the client, or something between it and us repeats its requests.',
  },
  sessionExpired: {
    code: 'MR5428',
    text: 'the session of {principal} has ended {seconds} s ago and was not renewed',
    help: 'Use a client that authenticates again on the same connection (KIP-368); others connect anew by themselves.',
  },
  otherPrincipal: {
    code: 'MR5429',
    text: '{before} authenticated again as {after}',
    kafka: 58,
    help: 'A connection stays with one principal; open another one for the other.',
  },
  tokenTooLong: {
    code: 'MR5430',
    text: 'an authentication message of {size} bytes, the limit is {limit}',
    help: 'Look at what the client sends as a token; the limit protects the server from who is not yet known.',
  },
  denied: {
    code: 'MR5431',
    text: '{principal} may not {operation} {resource}',
    kafka: 29,
    help: 'Give the right with an ACL (kafka-acls, millrace acls) or with the access key’s rights in the configuration.',
  },
  userInConfiguration: {
    code: 'MR5432',
    text: 'user {user} is defined in the configuration',
    kafka: 93,
    help: 'Change the password there, or take the user out of it.',
  },
  changedTwice: {
    code: 'MR5435',
    text: 'the request changes {mechanism} of user {user} twice',
    kafka: 92,
    help: 'Send one change of a user and mechanism in a request.',
  },
  noSuchCredential: {
    code: 'MR5436',
    text: 'user {user} has no {mechanism} credential',
    kafka: 91,
    exit: 4,
    help: 'List what there is with `millrace users list`.',
  },
  badRight: {
    code: 'MR5433',
    text: 'access key {key}: {reason}',
    exit: 78,
    help: 'Actions are those of the log service (log:PostLogStoreLogs, log:Get*, log:*), resources project/NAME/logstore/NAME with a * at the end if wanted.',
  },
  lateAuthentication: {
    code: 'MR5434',
    text: 'no authentication within {seconds} s',
    help: 'The client connects and says nothing more; a health check should use a plaintext listener or close at once.',
  },
});
