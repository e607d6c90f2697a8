/**
 * Which words of access control go together (their numbers are `wire/acl-codes.ts`), and what a binding is for.
 *
 * A binding says: this principal, from this host, may (or may not) do this to the resources of this pattern.
 */
import { OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from '../../wire/index.ts';

export type ResourceType = 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID';
export type Operation = Exclude<keyof typeof OPERATIONS, 'ANY' | 'ALL'>;

/** What can be done to a resource, as Kafka has it. */
export const OPERATIONS_OF: Readonly<Record<ResourceType, readonly Operation[]>> = {
  TOPIC: ['READ', 'WRITE', 'CREATE', 'DESCRIBE', 'DELETE', 'ALTER', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'],
  GROUP: ['READ', 'DESCRIBE', 'DELETE', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'],
  CLUSTER: ['CREATE', 'CLUSTER_ACTION', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS', 'IDEMPOTENT_WRITE', 'ALTER', 'DESCRIBE'],
  TRANSACTIONAL_ID: ['DESCRIBE', 'WRITE', 'TWO_PHASE_COMMIT'],
};

/** Who may do one of these may do the other, too. */
export const IMPLIED_BY: Readonly<Partial<Record<Operation, readonly Operation[]>>> = {
  DESCRIBE: ['READ', 'WRITE', 'DELETE', 'ALTER'],
  DESCRIBE_CONFIGS: ['ALTER_CONFIGS'],
};

/** The only name of a cluster. */
export const CLUSTER_NAME = 'kafka-cluster';
export const WILDCARD = '*';

export interface AclBinding {
  readonly resourceType: number;
  readonly patternType: number;
  readonly resourceName: string;
  /** `User:alice`; `User:*` is everybody. */
  readonly principal: string;
  /** An address, or `*`. */
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** Null and ANY match all; the pattern type MATCH finds every pattern that takes the name. */
export interface AclFilter {
  readonly resourceType: number;
  readonly patternType: number;
  readonly resourceName: string | null;
  readonly principal: string | null;
  readonly host: string | null;
  readonly operation: number;
  readonly permissionType: number;
}

const values = (table: Readonly<Record<string, number>>): readonly number[] => Object.values(table);

/** Why there can be no such binding; undefined when there can. */
export function bindingDefect(binding: AclBinding): string | undefined {
  const { host, operation, patternType, permissionType, principal, resourceName, resourceType } = binding;
  const type = typeName(resourceType);
  if (!type) return `resource type ${resourceType} has no access control here`;
  if (patternType !== PATTERN_TYPES.LITERAL && patternType !== PATTERN_TYPES.PREFIXED)
    return 'a binding has a literal or a prefixed pattern';
  if (resourceName === '' || resourceName.length > 255) return 'the resource name has 1 to 255 characters';
  if (type === 'CLUSTER' && (resourceName !== CLUSTER_NAME || patternType !== PATTERN_TYPES.LITERAL))
    return `the only name of the cluster is ${CLUSTER_NAME}`;
  const isOfType = OPERATIONS_OF[type].some(name => OPERATIONS[name] === operation);
  if (operation !== OPERATIONS.ALL && !isOfType) return `operation ${operation} is none of a ${type.toLowerCase()}`;
  if (permissionType !== PERMISSIONS.ALLOW && permissionType !== PERMISSIONS.DENY) return 'a binding allows or denies';
  if (!/^[^:\s]+:.+$/.test(principal) || principal.length > 1_000)
    return 'a principal is TYPE:NAME, such as User:alice';
  if (host === '' || host.length > 255) return 'the host is an address or *';
  return undefined;
}

export function filterDefect(filter: AclFilter): string | undefined {
  const { operation, patternType, permissionType, resourceType } = filter;
  // Types that can never have a binding here find nothing, which is an answer.
  if (resourceType <= 0) return `unknown resource type ${resourceType}`;
  if (!values(PATTERN_TYPES).includes(patternType)) return `unknown pattern type ${patternType}`;
  if (operation <= 0) return `unknown operation ${operation}`;
  if (!values(PERMISSIONS).includes(permissionType)) return `unknown permission type ${permissionType}`;
  return undefined;
}

export function matchesFilter(binding: AclBinding, filter: AclFilter): boolean {
  const is = (wanted: number, value: number): boolean => wanted === 1 || wanted === value;
  return (
    is(filter.resourceType, binding.resourceType) &&
    matchesName(binding, filter) &&
    (filter.principal === null || filter.principal === binding.principal) &&
    (filter.host === null || filter.host === binding.host) &&
    is(filter.operation, binding.operation) &&
    is(filter.permissionType, binding.permissionType)
  );
}

function matchesName(binding: AclBinding, { patternType, resourceName }: AclFilter): boolean {
  if (patternType === PATTERN_TYPES.MATCH) return resourceName === null || takesName(binding, resourceName);
  if (patternType !== PATTERN_TYPES.ANY && patternType !== binding.patternType) return false;
  return resourceName === null || resourceName === binding.resourceName;
}

/** Whether the binding's pattern is for the name. */
export function takesName({ patternType, resourceName }: AclBinding, name: string): boolean {
  if (patternType === PATTERN_TYPES.PREFIXED) return name.startsWith(resourceName);
  return resourceName === name || resourceName === WILDCARD;
}

export function typeName(code: number): ResourceType | undefined {
  return (Object.keys(OPERATIONS_OF) as ResourceType[]).find(name => RESOURCE_TYPES[name] === code);
}
