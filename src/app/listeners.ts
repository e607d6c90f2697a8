/**
 * From the configuration to listeners, users and rights of the broker.
 *
 * Without `kafka.listeners` there is one plaintext listener on loopback; with them, and without `kafka.listen`, there are only
 * those. What others than this machine can reach has TLS, or was asked for by name (`allow_plaintext`).
 */
import { type Address, type Io, parseAddress } from '../base/index.ts';
import { accessKeyIdentity, type ListenerSettings, type SecuritySettings } from '../broker/index.ts';
import { KeySet, TOKEN_RULES, type TokenRules } from '../sasl/index.ts';
import { type Config, durationMs } from './config/schema.ts';
import { appErrors } from './errors.ts';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);
/** Of the listener that `kafka.listen` is about. */
export const DEFAULT_NAME = 'default';
const DEFAULT_LISTEN = '127.0.0.1:9092';
const USER_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];
const PROJECT_MECHANISMS = ['PLAIN'];

type ListenerConfig = Config['kafka']['listeners'][number];

/** The first is the one that local commands use. */
export function listenersOf(config: Config): ListenerSettings[] {
  const { kafka } = config;
  const { advertised_host: host, advertised_port: port, listen, listeners } = kafka;
  const made = listeners.map(listenerOf);
  if (listen === undefined && made.length > 0) return made;
  const address = parseAddress(listen ?? DEFAULT_LISTEN)!;
  expectHidden(address, kafka.allow_plaintext, 'kafka.allow_plaintext');
  const advertised = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
  return [{ name: DEFAULT_NAME, address, advertised }, ...made];
}

export function securityOf(io: Io, config: Config): SecuritySettings {
  const { authorization, oauth, users } = config.kafka;
  return {
    users,
    tokens: oauth && tokenRulesOf(io, oauth),
    authorizer: {
      isOn: authorization !== undefined,
      superUsers: new Set(authorization?.super_users),
      allowsWithoutAcl: authorization?.allow_everyone_if_no_acl_found ?? false,
    },
    projects: config.projects.map(({ name }) => name),
    accessKeys: config.access_keys,
  };
}

function listenerOf(wish: ListenerConfig): ListenerSettings {
  const { access_key: key, advertised, log_service: isLogService, mechanisms, name, project, protocol, tls } = wish;
  const address = parseAddress(wish.listen)!;
  if (!tls) expectHidden(address, wish.allow_plaintext, `allow_plaintext of the listener ${name}`);
  const isSasl = protocol.startsWith('SASL');
  return {
    name,
    protocol,
    address,
    isLogService,
    ...(advertised !== undefined && { advertised: parseAddress(advertised)! }),
    ...(isSasl && { mechanisms: mechanisms ?? (isLogService ? PROJECT_MECHANISMS : USER_MECHANISMS) }),
    ...(wish.session_max !== undefined && { sessionMaxMs: durationMs(wish.session_max) }),
    ...(key !== undefined && project !== undefined && { identity: accessKeyIdentity(key, project) }),
    ...(tls && {
      principalRules: tls.principal_mapping_rules,
      certificates: {
        certificate: tls.certificate,
        key: tls.key,
        clientAuth: tls.client_auth,
        minVersion: tls.min_version,
        ...(tls.key_password !== undefined && { keyPassword: tls.key_password }),
        ...(tls.ca !== undefined && { ca: tls.ca }),
      },
    }),
  };
}

function expectHidden({ host }: Address, mayBeExposed: boolean, setting: string): void {
  if (!mayBeExposed && !LOOPBACK.has(host)) throw appErrors.exposedPlaintext({ host, setting });
}

function tokenRulesOf(io: Io, oauth: NonNullable<Config['kafka']['oauth']>): TokenRules {
  const { audiences, ca, issuers, keys, scopes } = oauth;
  const some = (texts: readonly string[]): readonly string[] | undefined => (texts.length > 0 ? texts : undefined);
  return {
    ...TOKEN_RULES,
    keys:
      keys === undefined
        ? undefined
        : new KeySet(io, { place: keys, ...(ca !== undefined && { tls: { ca: io.files.readFile(ca) } }) }),
    issuers: some(issuers),
    audiences: some(audiences),
    scopes,
    principalClaim: oauth.principal_claim,
    scopeClaim: oauth.scope_claim,
    clockSkewMs: durationMs(oauth.clock_skew),
    acceptsUnsecured: oauth.allow_unsecured,
  };
}
