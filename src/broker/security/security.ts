/** What all listeners of a broker share: who the users are, which projects there are, and who may do what. */
import type { Io } from '../../base/index.ts';
import type { Log } from '../../log/index.ts';
import type { SaslAuthority, TokenRules } from '../../sasl/index.ts';
import { type AccessKey, accessKeyAuthority, bindingsOf } from './access-keys.ts';
import { Authorizer, type AuthorizerSettings, OPEN_AUTHORIZER } from './authorizer.ts';
import type { Identity } from './identity.ts';
import { type PasswordUser, ScramUsers } from './scram-users.ts';
import { userAuthority } from './users.ts';

export interface SecuritySettings {
  readonly users: readonly PasswordUser[];
  /** How bearer tokens are judged; undefined: none is taken. */
  readonly tokens: TokenRules | undefined;
  readonly authorizer: AuthorizerSettings;
  /** Namespaces of the log service. */
  readonly projects: readonly string[];
  readonly accessKeys: readonly AccessKey[];
}

export const OPEN_SECURITY: SecuritySettings = {
  users: [],
  tokens: undefined,
  authorizer: OPEN_AUTHORIZER,
  projects: [],
  accessKeys: [],
};

export class Security {
  readonly authorizer: Authorizer;
  readonly scramUsers: ScramUsers;
  readonly projects: ReadonlySet<string>;
  /** Knows the users of ordinary listeners. */
  readonly users: SaslAuthority<Identity>;
  /** Knows those who come to a project with an access key. */
  readonly accessKeys: SaslAuthority<Identity>;

  constructor(
    io: Io,
    log: Log,
    settings: SecuritySettings = OPEN_SECURITY,
    scramUsers: ScramUsers = new ScramUsers(log),
  ) {
    const { accessKeys, authorizer, projects, tokens, users } = settings;
    this.scramUsers = scramUsers;
    this.projects = new Set(projects);
    this.authorizer = new Authorizer(log, authorizer, bindingsOf(accessKeys, projects));
    this.users = userAuthority({ io, users, scramUsers, tokens });
    this.accessKeys = accessKeyAuthority(accessKeys);
  }

  static async open(io: Io, log: Log, settings: SecuritySettings): Promise<Security> {
    return new Security(io, log, settings, await ScramUsers.open(io, log, settings.users));
  }
}
