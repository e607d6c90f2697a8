/**
 * DeleteAcls.
 *
 * Versions: 0 to 3.
 * Behaviour: what each filter finds is gone, durably, before the answer. Bindings that access keys have from the
 *   configuration are named with 44 and stay. Needs Alter on the cluster (31); where nothing is guarded it is 54.
 * Not done: nothing.
 * Versions differ: pattern types from 1; before, only literal ones are found.
 */
import { apis, type DeleteAclsResponseFilterResultsInput, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { type AclBinding, type AclFilter, CLUSTER_NAME, filterDefect } from '../security/acl.ts';

export default defineHandler({
  api: apis.deleteAcls,
  min: 0,
  max: 3,
  async handle(context, request) {
    const { authorizer } = context.security;
    const { namespace } = context;
    const failed = (error: ErrorName, errorMessage: string): DeleteAclsResponseFilterResultsInput => ({
      errorCode: errorCode(error),
      errorMessage,
      matchingAcls: [],
    });
    const all = (error: ErrorName, text: string) => ({ filterResults: request.filters.map(() => failed(error, text)) });
    if (!authorizer.isGuarded(namespace)) return all('SECURITY_DISABLED', 'no authorization is configured');
    if (!context.may('ALTER', 'CLUSTER', CLUSTER_NAME))
      return all('CLUSTER_AUTHORIZATION_FAILED', 'needs Alter on the cluster');
    const gone = new Set<AclBinding>();
    const filterResults = request.filters.map((wish): DeleteAclsResponseFilterResultsInput => {
      const filter: AclFilter = {
        resourceType: wish.resourceTypeFilter,
        patternType: wish.patternTypeFilter,
        resourceName: wish.resourceNameFilter,
        principal: wish.principalFilter,
        host: wish.hostFilter,
        operation: wish.operation,
        permissionType: wish.permissionType,
      };
      const defect = filterDefect(filter);
      if (defect) return failed('INVALID_REQUEST', defect);
      const matchingAcls = authorizer.find(namespace, filter).map(binding => {
        const isFixed = authorizer.isFixed(namespace, binding);
        if (!isFixed) gone.add(binding);
        return {
          ...binding,
          errorCode: errorCode(isFixed ? 'POLICY_VIOLATION' : 'NONE'),
          errorMessage: isFixed ? 'an access key has this right from the configuration' : null,
        };
      });
      return { errorCode: 0, errorMessage: null, matchingAcls };
    });
    await authorizer.delete(namespace, [...gone]);
    return { filterResults };
  },
});
