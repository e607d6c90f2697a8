/**
 * DescribeAcls.
 *
 * Versions: 0 to 3.
 * Behaviour: bindings of the client's namespace that the filter finds, by resource; those that access keys have from the
 *   configuration among them. Needs Describe on the cluster (31); where nothing is guarded it is 54.
 * Not done: resource types that have no access control here find nothing.
 * Versions differ: pattern types from 1; before, only literal ones are found.
 */
import { apis, type DescribeAclsResponseResourcesInput, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { type AclBinding, CLUSTER_NAME, filterDefect } from '../security/acl.ts';

export default defineHandler({
  api: apis.describeAcls,
  min: 0,
  max: 3,
  handle(context, request) {
    const { authorizer } = context.security;
    const { namespace } = context;
    const failed = (error: ErrorName, errorMessage: string) => ({
      errorCode: errorCode(error),
      errorMessage,
      resources: [],
    });
    if (!authorizer.isGuarded(namespace)) return failed('SECURITY_DISABLED', 'no authorization is configured');
    if (!context.may('DESCRIBE', 'CLUSTER', CLUSTER_NAME))
      return failed('CLUSTER_AUTHORIZATION_FAILED', 'needs Describe on the cluster');
    const filter = {
      resourceType: request.resourceTypeFilter,
      patternType: request.patternTypeFilter,
      resourceName: request.resourceNameFilter,
      principal: request.principalFilter,
      host: request.hostFilter,
      operation: request.operation,
      permissionType: request.permissionType,
    };
    const defect = filterDefect(filter);
    if (defect) return failed('INVALID_REQUEST', defect);
    return { errorCode: 0, errorMessage: null, resources: byResource(authorizer.find(namespace, filter)) };
  },
});

function byResource(bindings: readonly AclBinding[]): DescribeAclsResponseResourcesInput[] {
  const resources = new Map<string, AclBinding[]>();
  for (const binding of bindings) {
    const key = `${binding.resourceType} ${binding.patternType} ${binding.resourceName}`;
    const same = resources.get(key);
    if (same) same.push(binding);
    else resources.set(key, [binding]);
  }
  return [...resources.values()].map(same => {
    const { patternType, resourceName, resourceType } = same[0]!;
    return {
      resourceType,
      resourceName,
      patternType,
      acls: same.map(({ host, operation, permissionType, principal }) => ({
        principal,
        host,
        operation,
        permissionType,
      })),
    };
  });
}
