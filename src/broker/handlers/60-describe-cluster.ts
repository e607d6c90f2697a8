/**
 * DescribeCluster.
 *
 * Versions: 0 to 2.
 * Behaviour: one broker, at the address that the listener advertises, which is its own controller. Who asks for controllers
 *   as endpoints of their own gets 114, for anything else 115.
 * Not done: no broker is ever fenced.
 * Versions differ: endpoint type from 1, fenced brokers from 2.
 */
import { apis } from '../../wire/index.ts';
import { authorizedOperations, failure } from '../answers.ts';
import { defineHandler } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';

const BROKERS = 1;
const CONTROLLERS = 2;

export default defineHandler({
  api: apis.describeCluster,
  min: 0,
  max: 2,
  handle(context, request) {
    const { advertised, log, settings } = context;
    const { clusterId } = log;
    const { nodeId } = settings;
    const isAsked = request.includeClusterAuthorizedOperations;
    const { endpointType } = request;
    if (endpointType !== BROKERS) {
      const refusal =
        endpointType === CONTROLLERS
          ? failure('MISMATCHED_ENDPOINT_TYPE', 'this is the endpoint of a broker')
          : failure('UNSUPPORTED_ENDPOINT_TYPE', `endpoints of type ${endpointType} are not known`);
      return { ...refusal, endpointType, clusterId, brokers: [] };
    }
    return {
      errorCode: 0,
      endpointType,
      clusterId,
      controllerId: nodeId,
      brokers: [{ brokerId: nodeId, host: advertised.host, port: advertised.port, rack: null, isFenced: false }],
      clusterAuthorizedOperations: authorizedOperations(context, 'CLUSTER', CLUSTER_NAME, isAsked),
    };
  },
});
