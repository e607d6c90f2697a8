/**
 * DescribeUserScramCredentials.
 *
 * Versions: 0.
 * Behaviour: mechanisms and iterations of the users named, of all when none is; never a secret. A user without credentials is
 *   91, one that is named twice 92. Users belong to the default namespace: from a project, and without Describe on the cluster,
 *   it is 31.
 * Not done: nothing.
 * Versions differ: there is one.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { SCRAM_TYPES } from '../security/scram-users.ts';

export default defineHandler({
  api: apis.describeUserScramCredentials,
  min: 0,
  max: 0,
  handle(context, request) {
    if (context.namespace !== '' || !context.may('DESCRIBE', 'CLUSTER', CLUSTER_NAME)) {
      const error = errorCode('CLUSTER_AUTHORIZATION_FAILED');
      return { errorCode: error, errorMessage: 'needs Describe on the cluster', results: [] };
    }
    const known = context.security.scramUsers.list();
    const names = request.users?.map(({ name }) => name) ?? [...known.keys()];
    const results = [...new Set(names.length > 0 ? names : known.keys())].map(user => {
      const failed = (error: 'RESOURCE_NOT_FOUND' | 'DUPLICATE_RESOURCE', errorMessage: string) => ({
        user,
        errorCode: errorCode(error),
        errorMessage,
        credentialInfos: [],
      });
      if (names.filter(name => name === user).length > 1) return failed('DUPLICATE_RESOURCE', 'named twice');
      const credentials = known.get(user);
      if (!credentials) return failed('RESOURCE_NOT_FOUND', `there is no SCRAM credential of ${user}`);
      const credentialInfos = credentials.map(({ iterations, mechanism }) => ({
        mechanism: SCRAM_TYPES.find(([, name]) => name === mechanism)![0],
        iterations,
      }));
      return { user, errorCode: 0, errorMessage: null, credentialInfos };
    });
    return { errorCode: 0, errorMessage: null, results };
  },
});
