/** Administration of who may come and what they may do: SCRAM credentials and ACLs of a cluster. */
import type { Random } from '../base/index.ts';
import { scramSaltedPassword } from '../sasl/index.ts';
import { apis, OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from '../wire/index.ts';
import type { Cluster } from './cluster.ts';
import { brokerError } from './errors.ts';

const SCRAM_TYPES = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 } as const;
const SALT_BYTES = 24;

export type ScramMechanism = keyof typeof SCRAM_TYPES;

export interface ScramInfo {
  readonly user: string;
  readonly mechanism: string;
  readonly iterations: number;
}

/** What a principal may or may not do to the resources of a pattern. */
export interface Acl {
  readonly type: keyof typeof RESOURCE_TYPES;
  readonly pattern: keyof typeof PATTERN_TYPES;
  readonly name: string;
  readonly principal: string;
  readonly host: string;
  readonly operation: keyof typeof OPERATIONS;
  readonly permission: keyof typeof PERMISSIONS;
}

export class SecurityAdmin {
  private readonly cluster: Cluster;
  private readonly random: Random;

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster;
    this.random = random;
  }

  async scramUsers(users: readonly string[] | null = null): Promise<ScramInfo[]> {
    const connection = await this.cluster.any();
    const wanted = users?.map(name => ({ name })) ?? null;
    const answer = await connection.request(apis.describeUserScramCredentials, { users: wanted });
    expectOk('DescribeUserScramCredentials', 'of users', answer);
    return answer.results.flatMap(({ credentialInfos, user, ...result }) => {
      expectOk('DescribeUserScramCredentials', `of ${user}`, result);
      return credentialInfos.map(({ iterations, mechanism }) => ({
        user,
        mechanism: wordOf(SCRAM_TYPES, mechanism),
        iterations,
      }));
    });
  }

  /** The password itself does not go to the broker. */
  async setPassword(user: string, mechanism: ScramMechanism, password: string, iterations: number): Promise<void> {
    const salt = this.random.bytes(SALT_BYTES);
    const saltedPassword = await scramSaltedPassword(mechanism, password, salt, iterations);
    const upsertion = { name: user, mechanism: SCRAM_TYPES[mechanism], iterations, salt, saltedPassword };
    await this.alter(user, { deletions: [], upsertions: [upsertion] });
  }

  async deletePassword(user: string, mechanism: ScramMechanism): Promise<void> {
    await this.alter(user, { deletions: [{ name: user, mechanism: SCRAM_TYPES[mechanism] }], upsertions: [] });
  }

  /** Those that have what the search has. */
  async acls(search: Partial<Acl> = {}): Promise<Acl[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.describeAcls, filterOf(search));
    expectOk('DescribeAcls', 'of the cluster', answer);
    return answer.resources.flatMap(({ acls, ...resource }) => acls.map(acl => aclOf({ ...resource, ...acl })));
  }

  async createAcls(acls: readonly Acl[]): Promise<void> {
    const connection = await this.cluster.any();
    const creations = acls.map(({ host, name, operation, pattern, permission, principal, type }) => ({
      resourceType: RESOURCE_TYPES[type],
      resourceName: name,
      resourcePatternType: PATTERN_TYPES[pattern],
      principal,
      host,
      operation: OPERATIONS[operation],
      permissionType: PERMISSIONS[permission],
    }));
    const answer = await connection.request(apis.createAcls, { creations });
    answer.results.forEach((result, i) => expectOk('CreateAcls', `for ${acls[i]?.principal}`, result));
  }

  /** Resolves with what is gone. */
  async deleteAcls(search: Partial<Acl>): Promise<Acl[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.deleteAcls, { filters: [filterOf(search)] });
    const [result] = answer.filterResults;
    expectOk('DeleteAcls', 'of the cluster', result);
    for (const match of result!.matchingAcls) expectOk('DeleteAcls', `of ${match.principal}`, match);
    return result!.matchingAcls.map(aclOf);
  }

  private async alter(
    user: string,
    request: Parameters<typeof apis.alterUserScramCredentials.encodeRequest>[1],
  ): Promise<void> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.alterUserScramCredentials, request);
    for (const result of answer.results) expectOk('AlterUserScramCredentials', `of ${user}`, result);
  }
}

interface WireAcl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

function aclOf(acl: WireAcl): Acl {
  return {
    type: wordOf(RESOURCE_TYPES, acl.resourceType),
    pattern: wordOf(PATTERN_TYPES, acl.patternType),
    name: acl.resourceName,
    principal: acl.principal,
    host: acl.host,
    operation: wordOf(OPERATIONS, acl.operation),
    permission: wordOf(PERMISSIONS, acl.permissionType),
  };
}

function filterOf(search: Partial<Acl>) {
  return {
    resourceTypeFilter: RESOURCE_TYPES[search.type ?? 'ANY'],
    resourceNameFilter: search.name ?? null,
    patternTypeFilter: PATTERN_TYPES[search.pattern ?? 'ANY'],
    principalFilter: search.principal ?? null,
    hostFilter: search.host ?? null,
    operation: OPERATIONS[search.operation ?? 'ANY'],
    permissionType: PERMISSIONS[search.permission ?? 'ANY'],
  };
}

/** The word of a number; of one that this client does not know, the number. */
function wordOf<T extends Readonly<Record<string, number>>>(words: T, code: number): keyof T & string {
  return Object.keys(words).find(word => words[word] === code) ?? (`number ${code}` as keyof T & string);
}

function expectOk(
  api: string,
  what: string,
  result: { readonly errorCode: number; readonly errorMessage: string | null } | undefined,
): void {
  const code = result?.errorCode ?? -1;
  if (code === 0) return;
  throw brokerError(api, result?.errorMessage ? `${what} (${result.errorMessage})` : what, code);
}
