/**
 * ListGroups.
 *
 * Versions: 0 to 5.
 * Behaviour: all groups of the namespace, filtered by state and type.
 * Not done: other types than classic.
 * Versions differ: state filter from 4, type filter from 5.
 */
import { apis } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';
import { STATE_NAMES } from './15-describe-groups.ts';

export default defineHandler({
  api: apis.listGroups,
  min: 0,
  max: 5,
  handle(context, request) {
    const has = (filter: readonly string[], value: string): boolean =>
      filter.length === 0 || filter.some(wanted => wanted.toLowerCase() === value.toLowerCase());
    const groups = context.coordination
      .list(context.namespace)
      .map(({ id, protocolType, state }) => ({
        groupId: id,
        protocolType,
        groupState: STATE_NAMES[state],
        groupType: 'classic',
      }))
      .filter(
        ({ groupState, groupType }) => has(request.statesFilter, groupState) && has(request.typesFilter, groupType),
      );
    return { errorCode: 0, groups };
  },
});
