/**
 * ListGroups.
 *
 * Versions: 0 to 5.
 * Behaviour: all groups of the namespace, those that only have offsets included, filtered by state and type in any case.
 *   A group without members that only has offsets is a classic one.
 * Not done: nothing.
 * Versions differ: state and its filter from 4, type and its filter from 5.
 */
import { apis } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';
import { stateName } from './15-describe-groups.ts';

export default defineHandler({
  api: apis.listGroups,
  min: 0,
  max: 5,
  handle(context, request) {
    const filter = (words: readonly string[]): ((value: string) => boolean) => {
      const wanted = new Set(words.map(word => word.toLowerCase()));
      return value => wanted.size === 0 || wanted.has(value.toLowerCase());
    };
    const isAll = context.may('DESCRIBE', 'CLUSTER', CLUSTER_NAME, false);
    const [hasState, hasType] = [filter(request.statesFilter), filter(request.typesFilter)];
    const groups = context.coordination
      .list(context.namespace)
      .filter(({ id }) => isAll || context.may('DESCRIBE', 'GROUP', id, false))
      .map(group => ({
        groupId: group.id,
        protocolType: group.protocolType,
        groupState: stateName(group),
        groupType: group.type,
      }))
      .filter(({ groupState, groupType }) => hasState(groupState) && hasType(groupType));
    return { errorCode: 0, groups };
  },
});
