/** Administration of who may come and what they may do: SCRAM credentials and ACLs of a cluster. */
import type { Random } from '../base/index.ts';
import { scramSaltedPassword } from '../sasl/index.ts';
import { apis } from '../wire/index.ts';
import type { Cluster } from './cluster.ts';
import { brokerError } from './errors.ts';

const MECHANISMS: Readonly<Record<string, number>> = { 'SCRAM-SHA-256': 1, 'SCRAM-SHA-512': 2 };
const SALT_BYTES = 24;

export interface ScramInfo {
  readonly user: string;
  readonly mechanism: string;
  readonly iterations: number;
}

/** As the protocol numbers them; null and 1 match all. */
export interface Acl {
  readonly resourceType: number;
  readonly patternType: number;
  readonly resourceName: string;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

export type AclSearch = { readonly [K in keyof Acl]: Acl[K] | (Acl[K] extends string ? null : never) };

export class SecurityAdmin {
  private readonly cluster: Cluster;
  private readonly random: Random;

  constructor(cluster: Cluster, random: Random) {
    this.cluster = cluster;
    this.random = random;
  }

  async scramUsers(users: readonly string[] | null = null): Promise<ScramInfo[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.describeUserScramCredentials, {
      users: users?.map(name => ({ name })) ?? null,
    });
    expectOk('DescribeUserScramCredentials', 'of users', answer);
    return answer.results.flatMap(({ credentialInfos, user, ...result }) => {
      expectOk('DescribeUserScramCredentials', `of ${user}`, result);
      return credentialInfos.map(({ iterations, mechanism }) => ({
        user,
        mechanism: Object.keys(MECHANISMS).find(name => MECHANISMS[name] === mechanism) ?? String(mechanism),
        iterations,
      }));
    });
  }

  /** The password itself does not go to the broker. */
  async setPassword(user: string, mechanism: string, password: string, iterations: number): Promise<void> {
    const salt = this.random.bytes(SALT_BYTES);
    const saltedPassword = await scramSaltedPassword(mechanism, password, salt, iterations);
    const upsertion = { name: user, mechanism: MECHANISMS[mechanism] ?? 0, iterations, salt, saltedPassword };
    await this.alter(user, { deletions: [], upsertions: [upsertion] });
  }

  async deletePassword(user: string, mechanism: string): Promise<void> {
    await this.alter(user, { deletions: [{ name: user, mechanism: MECHANISMS[mechanism] ?? 0 }], upsertions: [] });
  }

  async acls(search: AclSearch): Promise<Acl[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.describeAcls, asFilter(search));
    expectOk('DescribeAcls', 'of the cluster', answer);
    return answer.resources.flatMap(({ acls, patternType, resourceName, resourceType }) =>
      acls.map(acl => ({ resourceType, patternType, resourceName, ...acl })),
    );
  }

  async createAcls(acls: readonly Acl[]): Promise<void> {
    const connection = await this.cluster.any();
    const creations = acls.map(({ patternType, ...acl }) => ({ ...acl, resourcePatternType: patternType }));
    const answer = await connection.request(apis.createAcls, { creations });
    answer.results.forEach((result, i) => expectOk('CreateAcls', `for ${acls[i]?.principal}`, result));
  }

  /** Resolves with what is gone. */
  async deleteAcls(search: AclSearch): Promise<Acl[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.deleteAcls, { filters: [asFilter(search)] });
    const [result] = answer.filterResults;
    expectOk('DeleteAcls', 'of the cluster', result);
    for (const match of result!.matchingAcls) expectOk('DeleteAcls', `of ${match.principal}`, match);
    return result!.matchingAcls.map(({ errorCode: _code, errorMessage: _text, ...acl }) => acl);
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

function asFilter(search: AclSearch) {
  return {
    resourceTypeFilter: search.resourceType,
    resourceNameFilter: search.resourceName,
    patternTypeFilter: search.patternType,
    principalFilter: search.principal,
    hostFilter: search.host,
    operation: search.operation,
    permissionType: search.permissionType,
  };
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
