/** Errors of authentication: MR41xx. Their texts are for whoever runs the side that noticed; a peer is told less. */
import { defineErrors } from '../base/index.ts';

export const saslErrors = defineErrors({
  refused: {
    code: 'MR4101',
    text: '{mechanism} authentication of {who} failed: {reason}',
    kafka: 58,
    exit: 6,
    help: 'Compare user, secret and mechanism of the client with what this server knows; the reason is not told to the client.',
  },
  malformed: {
    code: 'MR4102',
    text: 'a {mechanism} message that does not follow the mechanism: {reason}',
    kafka: 58,
    exit: 6,
    help: 'The other side speaks another mechanism than the one that was agreed on, or a broken form of it.',
  },
  serverUnproved: {
    code: 'MR4103',
    text: 'the server did not prove that it knows the credentials: {reason}',
    exit: 6,
    help: 'Somebody answers in the broker’s place, or its credential store is damaged. Do not go on before you know which.',
  },
  weakServer: {
    code: 'MR4104',
    text: '{mechanism} with {iterations} iterations; this client takes {min} to {max}',
    exit: 6,
    help: 'Store the user’s credentials on the server anew with a number of iterations in the range.',
  },
  rejected: {
    code: 'MR4105',
    text: 'the server refused {mechanism} authentication: {reason}',
    exit: 6,
    help: 'Check user name, secret and mechanism; the server’s log says more than it tells its clients.',
  },
  noSuchMechanism: {
    code: 'MR4106',
    text: 'mechanism {mechanism} is not offered; there are {known}',
    kafka: 33,
    exit: 6,
    help: 'Set sasl.mechanism in the client to one that the listener offers, or add it to the listener’s mechanisms.',
  },
  missingCredentials: {
    code: 'MR4107',
    text: '{mechanism} needs {what}',
    exit: 2,
    help: 'Set the property; a secret may come from a file or from the environment.',
  },
  tokenRefused: {
    code: 'MR4108',
    text: 'the token is not taken: {reason}',
    kafka: 58,
    exit: 6,
    help: 'Compare issuer, audience, scope and times of the token with the listener’s settings, and both clocks.',
  },
  keysUnavailable: {
    code: 'MR4109',
    text: 'the keys at {place} cannot be had: {reason}',
    retry: 'backoff',
    kafka: 58,
    exit: 6,
    help: 'Check that the file or address has a JSON Web Key Set and can be read from here; tokens are refused until then.',
  },
  tokenUnavailable: {
    code: 'MR4110',
    text: 'no token from {place}: {reason}',
    retry: 'backoff',
    exit: 6,
    help: 'Check address, client id, secret and scope of the token endpoint, or the token’s file.',
  },
  badCredential: {
    code: 'MR4111',
    text: 'a {mechanism} credential cannot have {what}',
    kafka: 93,
    exit: 2,
    help: 'Use a number of iterations in the range, a salt, and a password that is not empty.',
  },
});
