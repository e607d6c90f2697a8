/**
 * CreateAcls.
 *
 * Versions: 0 to 3.
 * Behaviour: each binding is judged for itself; those that can be are durable before the answer, and count from then on. One
 *   that is there already is no error. Needs Alter on the cluster (31); where nothing is guarded it is 54.
 * Not done: nothing.
 * Versions differ: pattern types from 1; before, a binding is literal.
 */
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { type AclBinding, bindingDefect, CLUSTER_NAME } from '../security/acl.ts';

export default defineHandler({
  api: apis.createAcls,
  min: 0,
  max: 3,
  async handle(context, request) {
    const { authorizer } = context.security;
    const { namespace } = context;
    const all = (error: ErrorName, errorMessage: string) => ({
      results: request.creations.map(() => ({ errorCode: errorCode(error), errorMessage })),
    });
    if (!authorizer.isGuarded(namespace)) return all('SECURITY_DISABLED', 'no authorization is configured');
    if (!context.may('ALTER', 'CLUSTER', CLUSTER_NAME))
      return all('CLUSTER_AUTHORIZATION_FAILED', 'needs Alter on the cluster');
    const bindings = request.creations.map(
      ({
        host,
        operation,
        permissionType,
        principal,
        resourceName,
        resourcePatternType,
        resourceType,
      }): AclBinding => ({
        resourceType,
        patternType: resourcePatternType,
        resourceName,
        principal,
        host,
        operation,
        permissionType,
      }),
    );
    const defects = bindings.map(bindingDefect);
    await authorizer.create(
      namespace,
      bindings.filter((_binding, i) => defects[i] === undefined),
    );
    return {
      results: defects.map(defect => ({
        errorCode: errorCode(defect === undefined ? 'NONE' : 'INVALID_REQUEST'),
        errorMessage: defect ?? null,
      })),
    };
  },
});
