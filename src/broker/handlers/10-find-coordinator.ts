/**
 * FindCoordinator.
 *
 * Versions: 0 to 6.
 * Behaviour: this node coordinates everything, at the address that the listener advertises. An empty group id is 24, an
 *   unknown kind of key 42.
 * Not done: share coordinators (kind 2).
 * Versions differ: kind of key and error texts from 1, several keys from 4.
 */
import { apis, errorCode, type ErrorName, type FindCoordinatorResponseCoordinatorsInput } from '../../wire/index.ts';
import { defineHandler, type RequestContext } from '../handler.ts';

const GROUP = 0;
const TRANSACTION = 1;

export default defineHandler({
  api: apis.findCoordinator,
  min: 0,
  max: 6,
  handle(context, request) {
    const { advertised, settings } = context;
    const answer = (key: string): FindCoordinatorResponseCoordinatorsInput => {
      const [error, errorMessage] = refusalOf(context, request.keyType, key);
      return error === 'NONE'
        ? { key, nodeId: settings.nodeId, host: advertised.host, port: advertised.port, errorCode: 0, errorMessage }
        : { key, nodeId: -1, host: '', port: -1, errorCode: errorCode(error), errorMessage };
    };
    if (context.version >= 4)
      return { coordinators: request.coordinatorKeys.map(answer), errorCode: 0, nodeId: -1, host: '', port: -1 };
    const { key: _key, ...single } = answer(request.key);
    return single;
  },
});

function refusalOf(context: RequestContext, kind: number, key: string): [ErrorName, string | null] {
  if (kind !== GROUP && kind !== TRANSACTION) return ['INVALID_REQUEST', `there is no coordinator of kind ${kind}`];
  if (key !== '') {
    const isGroup = kind === GROUP;
    if (context.may('DESCRIBE', isGroup ? 'GROUP' : 'TRANSACTIONAL_ID', key)) return ['NONE', null];
    const error = isGroup ? 'GROUP_AUTHORIZATION_FAILED' : 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED';
    return [error, `not allowed to describe ${key}`];
  }
  return kind === GROUP
    ? ['INVALID_GROUP_ID', 'a group needs a name']
    : ['INVALID_REQUEST', 'a transaction needs an id'];
}
