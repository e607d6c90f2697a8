/**
 * DeleteGroups.
 *
 * Versions: 0 to 2.
 * Behaviour: groups without members, with their offsets; durable before the answer. 68 with members, 69 when unknown; 15
 *   when it cannot be made durable.
 * Not done: nothing.
 * Versions differ: in layout only.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

export default defineHandler({
  api: apis.deleteGroups,
  min: 0,
  max: 2,
  async handle(context, request) {
    const { coordination, namespace } = context;
    const results = await Promise.all(
      request.groupsNames.map(async groupId => ({
        groupId,
        errorCode: errorCode(
          context.may('DELETE', 'GROUP', groupId)
            ? await coordination.delete(namespace, groupId)
            : 'GROUP_AUTHORIZATION_FAILED',
        ),
      })),
    );
    return { results };
  },
});
