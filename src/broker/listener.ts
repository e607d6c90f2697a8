/**
 * One listener: where it listens, how it is secured, who its clients are, what they are told to connect to.
 *
 *   PLAINTEXT        everybody is User:ANONYMOUS, or the access key that the listener is bound to
 *   SSL              who shows a certificate is whom the mapping rules make of its subject
 *   SASL_PLAINTEXT   who a mechanism proves
 *   SASL_SSL         likewise
 *
 * A listener of the log service serves projects: users are projects, passwords access keys, topics Logstores, and names that
 * end in `.json` are aliases.
 *
 * Clients are told the host that is advertised, else the name by which they asked for us (SNI), else the address that they
 * reached.
 */
import type { Address, Connection, Io, Listener, Logger, MillraceError, TlsRefusal } from '../base/index.ts';
import { Authentication, type AuthenticationCounters } from './security/authentication.ts';
import { type CertificateFiles, ListenerCertificates } from './security/certificates.ts';
import { securityErrors } from './security/errors.ts';
import { ANONYMOUS, type Identity, userIdentity } from './security/identity.ts';
import { distinguishedName, mapPrincipal, parsePrincipalRules } from './security/principal-mapping.ts';
import type { Security } from './security/security.ts';
import { sniff } from './sniff.ts';

export type ListenerProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';

export interface ListenerSettings {
  /** Kafka's word for it in messages and metrics; default: the protocol's name. */
  readonly name?: string;
  readonly protocol?: ListenerProtocol;
  readonly address: Address;
  /** What Metadata says; where it says nothing, what the client itself used. */
  readonly advertised?: Partial<Address>;
  /** For SASL protocols. */
  readonly mechanisms?: readonly string[];
  /** How long a proof holds at most (`connections.max.reauth.ms`); 0: as long as it does by itself. */
  readonly sessionMaxMs?: number;
  /** Answers to failed authentications come so late (`connection.failed.authentication.delay.ms`). */
  readonly failureDelayMs?: number;
  /** For TLS protocols. */
  readonly certificates?: CertificateFiles;
  readonly principalRules?: string;
  /** Serves projects and their Logstores. */
  readonly isLogService?: boolean;
  /** Without SASL: everybody is this one. */
  readonly identity?: Identity;
}

const FAILURE_DELAY_MS = 100;
const HOST = /^[A-Za-z0-9.-]{1,253}$/;

export interface ListenerReport {
  readonly name: string;
  readonly protocol: ListenerProtocol;
  readonly address: Address;
  readonly advertised: Partial<Address>;
  readonly mechanisms: readonly string[];
  /** When the certificate ends; undefined without TLS. */
  readonly certificateExpiresMs: number | undefined;
  readonly certificateReloads: number;
  readonly certificateReloadsFailed: number;
}

interface ListenerParts {
  readonly io: Io;
  readonly logger: Logger;
  readonly security: Security;
  readonly counters: AuthenticationCounters;
  readonly settings: ListenerSettings;
  onConnection(connection: Connection): void;
  /** Somebody who did not become a client. */
  onRefused(host: string, error: MillraceError): void;
}

export class BrokerListener {
  readonly name: string;
  readonly protocol: ListenerProtocol;
  readonly isLogService: boolean;
  private readonly parts: ListenerParts;
  private readonly certificates: ListenerCertificates | undefined;
  private readonly principalRules: ReturnType<typeof parsePrincipalRules>;
  private listener: Listener | undefined;

  private constructor(parts: ListenerParts) {
    const { io, logger, settings } = parts;
    this.parts = parts;
    this.protocol = settings.protocol ?? 'PLAINTEXT';
    this.name = settings.name ?? this.protocol;
    this.isLogService = settings.isLogService ?? false;
    this.principalRules = parsePrincipalRules(settings.principalRules ?? '');
    if (this.isTls) {
      const files = settings.certificates;
      if (!files) throw securityErrors.badCertificate({ listener: this.name, reason: 'none is named' });
      this.certificates = new ListenerCertificates(io, logger, this.name, files);
    }
  }

  static async open(parts: ListenerParts): Promise<BrokerListener> {
    const made = new BrokerListener(parts);
    const tls = made.certificates?.load();
    const { address } = parts.settings;
    const open = (): Promise<Listener> =>
      parts.io.network.listen(address, {
        ...(tls && { tls }),
        onConnection: parts.onConnection,
        onTlsRefusal: refusal => made.tlsRefused(refusal),
      });
    try {
      made.listener = await open();
    } catch (error) {
      // What is no address is the files' fault: they are only tried when a listener takes them.
      if (tls && error instanceof Error && /^ERR_(OSSL|CRYPTO|SSL)/.test(String((error as { code?: unknown }).code)))
        throw securityErrors.badCertificate({ listener: made.name, reason: error.message }, error);
      throw error;
    }
    made.certificates?.watch(made.listener);
    return made;
  }

  get address(): Address {
    return this.listener!.address;
  }

  get report(): ListenerReport {
    const { advertised = {}, mechanisms = [] } = this.parts.settings;
    return {
      name: this.name,
      protocol: this.protocol,
      address: this.address,
      advertised,
      mechanisms: this.isSasl ? mechanisms : [],
      certificateExpiresMs: this.certificates?.expiresMs,
      certificateReloads: this.certificates?.reloads ?? 0,
      certificateReloadsFailed: this.certificates?.failedReloads ?? 0,
    };
  }

  async close(): Promise<void> {
    this.certificates?.close();
    await this.listener?.close();
  }

  /** Where the client is told to connect to. */
  advertisedTo(connection: Connection): Address {
    const { advertised } = this.parts.settings;
    const name = connection.tlsPeer?.serverName;
    return {
      host: advertised?.host ?? (name !== undefined && HOST.test(name) ? name : connection.local.host),
      port: advertised?.port ?? connection.local.port,
    };
  }

  authentication(identity: Identity, refused: (error: MillraceError) => void): Authentication {
    const { counters, io, security, settings } = this.parts;
    const authority = this.isLogService ? security.accessKeys : security.users;
    return new Authentication(
      io,
      {
        listener: this.name,
        mechanisms: this.isSasl ? (settings.mechanisms ?? []) : [],
        authority: this.isSasl ? authority : undefined,
        identity,
        sessionMaxMs: settings.sessionMaxMs ?? 0,
        failureDelayMs: settings.failureDelayMs ?? FAILURE_DELAY_MS,
      },
      counters,
      refused,
    );
  }

  /** Who a client is before or without SASL. Throws MR5424 for a certificate that no rule takes. */
  identityOf(connection: Connection): Identity {
    const { identity } = this.parts.settings;
    const certificate = connection.tlsPeer?.certificate;
    if (identity || !certificate || this.isSasl) return identity ?? userIdentity(ANONYMOUS);
    const name = distinguishedName(certificate);
    const mapped = mapPrincipal(this.principalRules, name);
    if (mapped === undefined || mapped === '') throw securityErrors.unmappedPrincipal({ name });
    return userIdentity(mapped);
  }

  private get isTls(): boolean {
    return this.protocol === 'SSL' || this.protocol === 'SASL_SSL';
  }

  private get isSasl(): boolean {
    return this.protocol === 'SASL_PLAINTEXT' || this.protocol === 'SASL_SSL';
  }

  private tlsRefused({ first, reason, remote }: TlsRefusal): Uint8Array | undefined {
    const listener = this.name;
    if (!first) {
      this.parts.onRefused(remote.host, securityErrors.handshakeFailed({ listener, reason }));
      return undefined;
    }
    const found = sniff(first);
    const what = 'a plaintext Kafka request';
    this.parts.onRefused(remote.host, found?.error ?? securityErrors.plaintextOnTls({ what, listener }));
    return found?.reply === undefined ? undefined : Buffer.from(found.reply);
  }
}
