/**
 * Certificates for tests, made when they are needed: an authority, and what it signs, with the names and times that a test
 * wants. X.509 version 3 in DER, keys on P-256, signatures ECDSA with SHA-256.
 *
 *   Certificate = SEQUENCE { tbs, algorithm, signature }
 *   tbs = SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, key, [3] extensions }
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  /** PEM (PKCS#8). */
  readonly key: string;
}

export interface CertificateWish {
  /** Attributes in the order of the encoding, such as `[['O', 'shop'], ['CN', 'writer']]`. */
  readonly subject: readonly (readonly [keyof typeof ATTRIBUTES, string])[];
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[];
  readonly fromMs?: number;
  readonly toMs?: number;
}

const ATTRIBUTES = { CN: '2.5.4.3', C: '2.5.4.6', L: '2.5.4.7', ST: '2.5.4.8', O: '2.5.4.10', OU: '2.5.4.11' } as const;
const DAY_MS = 86_400_000;

export class CertificateAuthority {
  readonly cert: string;
  private readonly name: Buffer;
  private readonly key: KeyObject;

  constructor(name = 'Test Authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = privateKey;
    this.name = nameOf([['CN', name]]);
    this.cert = pem('CERTIFICATE', this.certify(this.name, publicKey, { subject: [] }, [basicConstraints()]));
  }

  issue(wish: CertificateWish): Certificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const extensions = wish.names ? [alternativeNames(wish.names)] : [];
    return {
      cert: pem('CERTIFICATE', this.certify(nameOf(wish.subject), publicKey, wish, extensions)),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  }

  private certify(subject: Buffer, key: KeyObject, wish: CertificateWish, extensions: readonly Buffer[]): Buffer {
    const { fromMs = Date.now() - DAY_MS, toMs = Date.now() + 365 * DAY_MS } = wish;
    const algorithm = sequence(identifier('1.2.840.10045.4.3.2'));
    const tbs = sequence(
      tlv(0xa0, tlv(0x02, Buffer.from([2]))),
      tlv(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(8)])),
      algorithm,
      this.name,
      sequence(time(fromMs), time(toMs)),
      subject,
      key.export({ type: 'spki', format: 'der' }),
      ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
    );
    return sequence(tbs, algorithm, tlv(0x03, Buffer.from([0]), sign('sha256', tbs, this.key)));
  }
}

function nameOf(subject: CertificateWish['subject']): Buffer {
  return sequence(
    ...subject.map(([attribute, value]) =>
      tlv(0x31, sequence(identifier(ATTRIBUTES[attribute]), tlv(attribute === 'C' ? 0x13 : 0x0c, Buffer.from(value)))),
    ),
  );
}

/** Critical: this one signs others. */
function basicConstraints(): Buffer {
  const isAuthority = sequence(tlv(0x01, Buffer.from([0xff])));
  return sequence(identifier('2.5.29.19'), tlv(0x01, Buffer.from([0xff])), tlv(0x04, isAuthority));
}

function alternativeNames(names: readonly string[]): Buffer {
  const entries = names.map(name =>
    /^\d+(\.\d+){3}$/.test(name) ? tlv(0x87, Buffer.from(name.split('.').map(Number))) : tlv(0x82, Buffer.from(name)),
  );
  return sequence(identifier('2.5.29.17'), tlv(0x04, sequence(...entries)));
}

/** UTCTime until 2049, GeneralizedTime from then on. */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`;
  return text < '2050' ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text));
}

function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
