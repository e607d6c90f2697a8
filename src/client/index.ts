/** Front door of `client`: the Kafka client. */
export { Admin } from './admin.ts';
export { Cluster, type ClusterSettings, type TopicInfo } from './cluster.ts';
export { BrokerConnection, type ConnectionSettings } from './connection.ts';
export { Consumer, type ConsumerSettings, type FetchedBatches, offsetFor } from './consumer.ts';
export { clientErrors } from './errors.ts';
export {
  committedOffsets,
  commitOffsets,
  GROUP_DEFAULTS,
  GroupMember,
  type GroupOffset,
  type TopicPartition,
} from './group.ts';
export { Producer, type ProducerSettings } from './producer/producer.ts';
export type { Acknowledge } from './producer/window.ts';
export { type ClientSettings, clientSettings, DEFAULT_BOOTSTRAP, makeCluster, parseAddress } from './properties.ts';
