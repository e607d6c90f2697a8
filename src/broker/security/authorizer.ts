/**
 * Who may do what: ACLs that are stored, and rights of access keys from the configuration, decided by the same rules.
 *
 *   table `acls`   key [namespace, resource type, pattern type, name, principal, host, operation, permission]   value: empty
 *
 * As Kafka's authorizer decides: super users may everything; then one binding that denies outweighs all that allow; without
 * any that allows the answer is no, unless no binding at all is for the resource and `allowsWithoutAcl` is set.
 *
 * Namespaces of projects are always guarded; the default one when the configuration says so.
 *
 * Invariants
 * I1 a change counts for the next question after it is durable.
 * I2 decisions that are kept belong to the bindings as they are: every change drops them.
 */
import type { Log, StateChange } from '../../log/index.ts';
import { OPERATIONS, PERMISSIONS, RESOURCE_TYPES } from '../../wire/index.ts';
import {
  type AclBinding,
  type AclFilter,
  CLUSTER_NAME,
  IMPLIED_BY,
  matchesFilter,
  OPERATIONS_OF,
  type Operation,
  type ResourceType,
  takesName,
} from './acl.ts';
import { type Identity, principalText } from './identity.ts';

export interface AuthorizerSettings {
  /** Whether the default namespace is guarded. */
  readonly isOn: boolean;
  readonly superUsers: ReadonlySet<string>;
  readonly allowsWithoutAcl: boolean;
}

export const OPEN_AUTHORIZER: AuthorizerSettings = { isOn: false, superUsers: new Set(), allowsWithoutAcl: false };

const TABLE = 'acls';
const DECISIONS_MAX = 100_000;
const EVERYBODY = 'User:*';
const EVERY_HOST = '*';

export interface Question {
  readonly identity: Identity;
  readonly host: string;
  readonly operation: Operation;
  readonly type: ResourceType;
  readonly name: string;
}

export class Authorizer {
  private readonly log: Log;
  private readonly settings: AuthorizerSettings;
  /** Of the configuration, by namespace. */
  private readonly fixed: ReadonlyMap<string, readonly AclBinding[]>;
  private readonly stored = new Map<string, Map<string, AclBinding>>();
  private readonly decisions = new Map<string, boolean>();

  constructor(
    log: Log,
    settings: AuthorizerSettings = OPEN_AUTHORIZER,
    fixed: ReadonlyMap<string, readonly AclBinding[]> = new Map(),
  ) {
    this.log = log;
    this.settings = settings;
    this.fixed = fixed;
    for (const [key] of log.states.entries(TABLE)) this.keep(key);
  }

  isGuarded(namespace: string): boolean {
    return namespace !== '' || this.settings.isOn;
  }

  allows({ host, identity, name, operation, type }: Question): boolean {
    if (!this.isGuarded(identity.namespace)) return true;
    const principal = principalText(identity);
    const key = `${identity.namespace}\n${principal}\n${host}\n${operation}\n${type}\n${name}`;
    const known = this.decisions.get(key);
    if (known !== undefined) return known;
    if (this.decisions.size >= DECISIONS_MAX) this.decisions.clear();
    const decision = this.decide(identity.namespace, principal, host, operation, type, name);
    this.decisions.set(key, decision);
    return decision;
  }

  /** Whether it may be done to some resource of the type (a producer needs some topic that it may write to). */
  allowsAny(identity: Identity, host: string, operation: Operation, type: ResourceType): boolean {
    if (!this.isGuarded(identity.namespace)) return true;
    const principal = principalText(identity);
    if (this.isSuper(identity.namespace, principal)) return true;
    return this.bindings(identity.namespace).some(
      binding =>
        binding.resourceType === RESOURCE_TYPES[type] &&
        binding.permissionType === PERMISSIONS.ALLOW &&
        isFor(binding, principal, host) &&
        (binding.operation === OPERATIONS.ALL || binding.operation === OPERATIONS[operation]) &&
        this.allows({ identity, host, operation, type, name: binding.resourceName }),
    );
  }

  /** Bits of the operations that may be done, numbered as in the protocol. */
  operations(identity: Identity, host: string, type: ResourceType, name: string): number {
    let bits = 0;
    for (const operation of OPERATIONS_OF[type]) {
      if (this.allows({ identity, host, operation, type, name })) bits |= 1 << OPERATIONS[operation];
    }
    return bits;
  }

  find(namespace: string, filter: AclFilter): AclBinding[] {
    return this.bindings(namespace).filter(binding => matchesFilter(binding, filter));
  }

  /** True when it cannot be taken away: the configuration gives it. */
  isFixed(namespace: string, binding: AclBinding): boolean {
    return !this.stored.get(namespace)?.has(keyOf(namespace, binding));
  }

  async create(namespace: string, bindings: readonly AclBinding[]): Promise<void> {
    await this.change(
      bindings.map(binding => ({ table: TABLE, key: keyOf(namespace, binding), value: new Uint8Array(0) })),
    );
  }

  async delete(namespace: string, bindings: readonly AclBinding[]): Promise<void> {
    await this.change(bindings.map(binding => ({ table: TABLE, key: keyOf(namespace, binding), value: undefined })));
  }

  private async change(changes: readonly StateChange[]): Promise<void> {
    if (changes.length === 0) return;
    await this.log.change(changes);
    for (const { key, value } of changes) {
      const [namespace] = JSON.parse(key) as [string];
      if (value) this.keep(key);
      else this.stored.get(namespace)?.delete(key);
    }
    this.decisions.clear();
  }

  private keep(key: string): void {
    const [namespace, resourceType, patternType, resourceName, principal, host, operation, permissionType] = JSON.parse(
      key,
    ) as [string, number, number, string, string, string, number, number];
    const bindings = this.stored.get(namespace) ?? new Map<string, AclBinding>();
    bindings.set(key, { resourceType, patternType, resourceName, principal, host, operation, permissionType });
    this.stored.set(namespace, bindings);
  }

  private bindings(namespace: string): readonly AclBinding[] {
    return [...(this.fixed.get(namespace) ?? []), ...(this.stored.get(namespace)?.values() ?? [])];
  }

  private isSuper(namespace: string, principal: string): boolean {
    return namespace === '' && this.settings.superUsers.has(principal);
  }

  private decide(
    namespace: string,
    principal: string,
    host: string,
    operation: Operation,
    type: ResourceType,
    name: string,
  ): boolean {
    if (this.isSuper(namespace, principal)) return true;
    const ofResource = this.bindings(namespace).filter(
      binding =>
        binding.resourceType === RESOURCE_TYPES[type] && takesName(binding, type === 'CLUSTER' ? CLUSTER_NAME : name),
    );
    if (ofResource.length === 0) return namespace === '' && this.settings.allowsWithoutAcl;
    const ours = ofResource.filter(binding => isFor(binding, principal, host));
    const has = (permission: number, operations: readonly Operation[]): boolean =>
      ours.some(
        binding =>
          binding.permissionType === permission &&
          (binding.operation === OPERATIONS.ALL || operations.some(wanted => OPERATIONS[wanted] === binding.operation)),
      );
    if (has(PERMISSIONS.DENY, [operation])) return false;
    return has(PERMISSIONS.ALLOW, [operation, ...(IMPLIED_BY[operation] ?? [])]);
  }
}

function isFor(binding: AclBinding, principal: string, host: string): boolean {
  const isPrincipal = binding.principal === principal || binding.principal === EVERYBODY;
  return isPrincipal && (binding.host === host || binding.host === EVERY_HOST);
}

function keyOf(namespace: string, binding: AclBinding): string {
  const { host, operation, patternType, permissionType, principal, resourceName, resourceType } = binding;
  return JSON.stringify([
    namespace,
    resourceType,
    patternType,
    resourceName,
    principal,
    host,
    operation,
    permissionType,
  ]);
}
