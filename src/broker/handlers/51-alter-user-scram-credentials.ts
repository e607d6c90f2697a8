/**
 * AlterUserScramCredentials.
 *
 * Versions: 0.
 * Behaviour: the changes of one user are made whole or not at all, durably, before the answer. The client sends the salted
 *   password; what is kept are the keys that follow from it. A credential to delete that is not there is 91, a weak one and
 *   one of a user of the configuration 93, the same changed twice 92, an unknown mechanism 33. Users belong to the default
 *   namespace: from a project, and without Alter on the cluster, it is 31.
 * Not done: nothing.
 * Versions differ: there is one.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { SCRAM_TYPES } from '../security/scram-users.ts';

export default defineHandler({
  api: apis.alterUserScramCredentials,
  min: 0,
  max: 0,
  async handle(context, request) {
    const { deletions, upsertions } = request;
    if (context.namespace !== '' || !context.may('ALTER', 'CLUSTER', CLUSTER_NAME)) {
      const users = new Set([...deletions, ...upsertions].map(({ name }) => name));
      const error = errorCode('CLUSTER_AUTHORIZATION_FAILED');
      return {
        results: [...users].map(user => ({ user, errorCode: error, errorMessage: 'needs Alter on the cluster' })),
      };
    }
    const results = await context.security.scramUsers.alter(
      deletions.map(({ mechanism, name }) => ({ user: name, mechanism: mechanismName(mechanism) })),
      upsertions.map(({ iterations, mechanism, name, salt, saltedPassword }) => ({
        user: name,
        mechanism: mechanismName(mechanism),
        iterations,
        salt: Uint8Array.from(salt),
        saltedPassword: Uint8Array.from(saltedPassword),
      })),
    );
    return {
      results: [...results].map(([user, error]) => ({
        user,
        errorCode: error?.row.kafka ?? 0,
        errorMessage: error?.message ?? null,
      })),
    };
  },
});

function mechanismName(type: number): string {
  return SCRAM_TYPES.find(([number]) => number === type)?.[1] ?? `number ${type}`;
}
