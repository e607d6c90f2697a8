/**
 * Access keys of the log service: who writes to a project's Logstores gives the project as user and `id#secret` as password.
 *
 *   password  id # secret        split at the first #, so the secret may contain more
 *   right     actions on resources:   log:PostLogStoreLogs …   on   project/NAME   or   project/NAME/logstore/NAME
 *
 * Actions and resources are written as in access policies: a `*` at the end stands for any rest, and `acs:log:REGION:ACCOUNT:`
 * in front is allowed and says nothing here. What an action allows over the Kafka protocol stands in one table; rights become
 * bindings of the principal `AccessKey:ID` in the project's namespace, beside the ACLs that are stored there.
 *
 * Invariants
 * I1 an unknown key and a wrong secret are refused with the same words, which name project and key and never the secret.
 * I2 a key that is right may log in to any project, also one that does not exist: then its topics do not exist (3), as with a
 *    project that it has no right on they are refused (29).
 */
import { sameSecret } from '../../base/index.ts';
import { type SaslAuthority, saslErrors, type Verdict } from '../../sasl/index.ts';
import { OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from '../../wire/index.ts';
import { type AclBinding, CLUSTER_NAME, type Operation, type ResourceType, WILDCARD } from './acl.ts';
import { securityErrors } from './errors.ts';
import type { Identity } from './identity.ts';

export interface AccessRight {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly rights: readonly AccessRight[];
}

type Grant = readonly [type: ResourceType, ...operations: readonly Operation[]];

/** What each action allows. Grants for anything but topics are for the whole project. */
const ACTIONS: Readonly<Record<string, readonly Grant[]>> = {
  'log:GetProject': [['CLUSTER', 'DESCRIBE']],
  'log:GetLogStore': [['TOPIC', 'DESCRIBE', 'DESCRIBE_CONFIGS']],
  'log:ListLogStores': [['TOPIC', 'DESCRIBE']],
  'log:ListShards': [['TOPIC', 'DESCRIBE']],
  'log:CreateLogStore': [['TOPIC', 'CREATE']],
  'log:UpdateLogStore': [['TOPIC', 'ALTER', 'ALTER_CONFIGS']],
  'log:DeleteLogStore': [['TOPIC', 'DELETE']],
  'log:PostLogStoreLogs': [
    ['TOPIC', 'WRITE'],
    ['TRANSACTIONAL_ID', 'WRITE', 'DESCRIBE'],
  ],
  'log:GetCursorOrData': [
    ['TOPIC', 'READ'],
    ['GROUP', 'READ', 'DESCRIBE'],
  ],
  'log:ListConsumerGroup': [['GROUP', 'DESCRIBE']],
  'log:CreateConsumerGroup': [['GROUP', 'READ']],
  'log:UpdateConsumerGroup': [['GROUP', 'READ']],
  'log:DeleteConsumerGroup': [['GROUP', 'DELETE']],
  'log:ConsumerGroupHeartBeat': [['GROUP', 'READ']],
  'log:ConsumerGroupUpdateCheckPoint': [['GROUP', 'READ']],
  'log:GetConsumerGroupCheckPoint': [['GROUP', 'DESCRIBE']],
};

/** Only by `log:*`: what no action of the log service has a name for. */
const ADMINISTRATION: readonly Grant[] = [
  ['TOPIC', 'READ', 'WRITE', 'CREATE', 'DESCRIBE', 'DELETE', 'ALTER', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'],
  ['GROUP', 'READ', 'DESCRIBE', 'DELETE', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'],
  ['CLUSTER', 'DESCRIBE', 'ALTER', 'DESCRIBE_CONFIGS', 'CREATE', 'IDEMPOTENT_WRITE'],
  ['TRANSACTIONAL_ID', 'DESCRIBE', 'WRITE'],
];

const RESOURCE = /^(?:acs:log:[^:/]*:[^:/]*:)?project\/([^/]+)(?:\/(?:logstore\/)?([^/]+))?$/;

interface Place {
  readonly project: string;
  readonly logstore: string;
}

/** Bindings by project. Throws MR5433 for a right that cannot be read. */
export function bindingsOf(keys: readonly AccessKey[], projects: readonly string[]): Map<string, AclBinding[]> {
  const bindings = new Map<string, AclBinding[]>(projects.map(project => [project, []]));
  for (const { id, rights } of keys) {
    for (const { actions, resources } of rights) {
      const grants = actions.flatMap(action => grantsOf(id, action));
      for (const place of resources.map(resource => placeOf(id, resource))) {
        for (const project of projects) {
          if (!isTaken(place.project, project)) continue;
          bindings.get(project)!.push(...grants.flatMap(grant => bindingsFor(id, place.logstore, grant)));
        }
      }
    }
  }
  return bindings;
}

export function accessKeyIdentity(id: string, project: string): Identity {
  return { type: 'AccessKey', name: id, namespace: project };
}

/** Knows clients by access keys. */
export function accessKeyAuthority(keys: readonly AccessKey[]): SaslAuthority<Identity> {
  const byId = new Map(keys.map(key => [key.id, key]));
  return {
    verifyPassword: (project, password) => {
      const at = password.indexOf('#');
      const id = password.slice(0, Math.max(at, 0)).slice(0, 200);
      const refused = (reason: string, message: string): Verdict<Identity> => {
        // Of a key that is not known only the beginning: it may be a secret in the wrong place.
        const shown = byId.has(id) ? id : `${id.slice(0, 4)}…`;
        const who = `access key ${shown} for project ${project}`;
        return { kind: 'refused', error: saslErrors.refused({ mechanism: 'PLAIN', who, reason }), message };
      };
      if (at <= 0) {
        const form = 'the password must be <access key id>#<access key secret>';
        return refused('the password has no key id and #', `Authentication failed for project ${project}: ${form}`);
      }
      const key = byId.get(id);
      // Compared also when there is no such key, so that both take the same time.
      const isSame = sameSecret(key?.secret ?? 'none', password.slice(at + 1));
      if (key && isSame) return { kind: 'proved', identity: accessKeyIdentity(id, project) };
      return refused(
        key ? 'wrong secret' : 'there is no such key',
        `Authentication failed for project ${project}: access key ${id} is unknown or its secret is wrong`,
      );
    },
    scramCredential: () => undefined,
    verifyToken: () =>
      Promise.resolve({
        kind: 'refused',
        error: saslErrors.tokenRefused({ reason: 'projects take access keys only' }),
        message: 'projects take access keys only',
      }),
  };
}

function grantsOf(key: string, action: string): readonly Grant[] {
  if (action === 'log:*' || action === '*') return ADMINISTRATION;
  const names = Object.keys(ACTIONS).filter(name => isTaken(action, name));
  if (names.length === 0) throw securityErrors.badRight({ key, reason: `the action ${action} is not known` });
  return names.flatMap(name => ACTIONS[name]!);
}

function placeOf(key: string, resource: string): Place {
  if (resource === '*') return { project: '*', logstore: '*' };
  const match = RESOURCE.exec(resource);
  const [project = '', logstore = '*'] = match?.slice(1) ?? [];
  if (!match)
    throw securityErrors.badRight({ key, reason: `the resource ${resource} is not project/NAME/logstore/NAME` });
  for (const part of [project, logstore]) {
    if (part.includes('*') && part.indexOf('*') !== part.length - 1)
      throw securityErrors.badRight({ key, reason: `in ${resource} a * stands elsewhere than at the end` });
  }
  return { project, logstore };
}

/** `log:Get*` takes `log:GetProject`. */
function isTaken(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function bindingsFor(id: string, logstore: string, [type, ...operations]: Grant): AclBinding[] {
  const isPrefix = type === 'TOPIC' && logstore.endsWith('*') && logstore !== WILDCARD;
  const name =
    type === 'TOPIC' ? (isPrefix ? logstore.slice(0, -1) : logstore) : type === 'CLUSTER' ? CLUSTER_NAME : WILDCARD;
  return operations.map(operation => ({
    resourceType: RESOURCE_TYPES[type],
    patternType: isPrefix ? PATTERN_TYPES.PREFIXED : PATTERN_TYPES.LITERAL,
    resourceName: name,
    principal: `AccessKey:${id}`,
    host: WILDCARD,
    operation: OPERATIONS[operation],
    permissionType: PERMISSIONS.ALLOW,
  }));
}
