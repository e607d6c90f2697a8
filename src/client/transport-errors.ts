/**
 * What goes wrong below the protocol, told in words that name the remedy: sockets and TLS report by system code, and a side
 * that expects TLS shows by the first bytes that it sends.
 *
 *   15 03 0x 00   the head of a TLS alert, read as the length of an answer
 *   "HTTP"        an HTTP server's answer
 */
import { type MillraceError, messageOf, systemCode } from '../base/index.ts';
import { clientErrors } from './errors.ts';

const TLS_ALERT = 0x15_03_00_00;
const TLS_ALERT_MASK = 0xff_ff_00_00;
const HTTP = 0x48_54_54_50;

/** Codes of OpenSSL's verification; they are what `tls` reports for a certificate that it does not accept. */
const UNTRUSTED: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate is revoked',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed and not among those that are trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'an authority that is not trusted issued its certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority that issued its certificate is not known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority that issued its certificate is not known',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority that issued its certificate is not known',
  INVALID_CA: 'the authority that issued its certificate may not do so',
  INVALID_PURPOSE: 'its certificate is not for servers',
};

/** Alerts of a peer about the certificate that it was shown, or was not. */
const CERTIFICATE_ALERT = /^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)/;

/** The error of a connection that could not be made or has ended. */
export function connectFailure(broker: string, error: unknown): MillraceError {
  const code = systemCode(error) ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return clientErrors.untrusted({ broker, reason: 'its certificate is for another host name' }, error);
  }
  const reason = UNTRUSTED[code];
  if (reason !== undefined) return clientErrors.untrusted({ broker, reason }, error);
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return clientErrors.otherProtocol({ broker, reason: 'it does not speak TLS' }, error);
  }
  if (code === 'ECONNRESET' && /before secure TLS connection/.test(messageOf(error))) {
    const reason = 'it ended the connection in the TLS handshake: it may not speak TLS';
    return clientErrors.otherProtocol({ broker, reason }, error);
  }
  if (CERTIFICATE_ALERT.test(code)) return clientErrors.tlsRefused({ broker, reason: messageOf(error) }, error);
  if (/^ERR_(OSSL|CRYPTO)/.test(code)) return clientErrors.badKeyFiles({ broker, reason: messageOf(error) }, error);
  if (/^ERR_(TLS|SSL)/.test(code)) {
    return clientErrors.tlsFailed({ broker, reason: messageOf(error) }, error);
  }
  return clientErrors.connectionLost({ broker, reason: error === undefined ? 'closed' : messageOf(error) }, error);
}

/** The error of an answer whose length cannot be one. */
export function lengthFailure(broker: string, bytes: number, most: number): MillraceError {
  if ((bytes & TLS_ALERT_MASK) === TLS_ALERT) return clientErrors.otherProtocol({ broker, reason: 'it speaks TLS' });
  if (bytes === HTTP) return clientErrors.otherProtocol({ broker, reason: 'it speaks HTTP' });
  return clientErrors.badAnswer({ broker, reason: `an answer of ${bytes} bytes, where ${most} are the most` });
}
