/**
 * FindCoordinator.
 *
 * Versions: 0 to 6.
 * Behaviour: this node coordinates everything. An empty group id is 24, an unknown kind of key 42.
 * Not done: share coordinators (kind 2).
 * Versions differ: kind of key from 1, several keys from 4.
 */
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const GROUP = 0;
const TRANSACTION = 1;

export default defineHandler({
  api: apis.findCoordinator,
  min: 0,
  max: 6,
  handle(context, request) {
    const { advertisedHost, nodeId } = context.settings;
    const answer = (
      key: string,
    ): { key: string; nodeId: number; host: string; port: number; errorCode: number; errorMessage: string | null } => {
      let error: ErrorName = 'NONE';
      if (request.keyType !== GROUP && request.keyType !== TRANSACTION) error = 'INVALID_REQUEST';
      else if (request.keyType === GROUP && key === '') error = 'INVALID_GROUP_ID';
      const isFound = error === 'NONE';
      return {
        key,
        nodeId: isFound ? nodeId : -1,
        host: isFound ? (advertisedHost ?? context.host) : '',
        port: isFound ? context.port : -1,
        errorCode: errorCode(error),
        errorMessage: isFound ? null : error,
      };
    };
    if (context.version >= 4)
      return { coordinators: request.coordinatorKeys.map(answer), errorCode: 0, nodeId: -1, host: '', port: -1 };
    const { key: _key, ...single } = answer(request.key);
    return single;
  },
});
