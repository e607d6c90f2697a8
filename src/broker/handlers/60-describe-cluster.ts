/**
 * DescribeCluster.
 *
 * Versions: 0 to 2.
 * Behaviour: one broker, which is its own controller.
 * Not done: controllers as an endpoint type of their own are 115; authorised operations.
 * Versions differ: endpoint type from 1.
 */
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler } from '../handler.ts';

const BROKERS = 1;

export default defineHandler({
  api: apis.describeCluster,
  min: 0,
  max: 2,
  handle(context, request) {
    const { advertisedHost, nodeId } = context.settings;
    const { clusterId } = context.log;
    if (request.endpointType !== BROKERS) {
      return { errorCode: errorCode('UNSUPPORTED_ENDPOINT_TYPE'), clusterId, brokers: [] };
    }
    const brokers = [
      { brokerId: nodeId, host: advertisedHost ?? context.host, port: context.port, rack: null, isFenced: false },
    ];
    return { errorCode: 0, clusterId, controllerId: nodeId, brokers };
  },
});
