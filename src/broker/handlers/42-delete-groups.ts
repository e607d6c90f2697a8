/**
 * DeleteGroups.
 *
 * Versions: 0 to 2.
 * Behaviour: groups without members, with their offsets; durable before the answer. 68 with members, 69 when unknown.
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
    const results: { groupId: string; errorCode: number }[] = [];
    for (const groupId of request.groupsNames) {
      results.push({ groupId, errorCode: errorCode(await context.coordination.delete(context.namespace, groupId)) });
    }
    return { results };
  },
});
