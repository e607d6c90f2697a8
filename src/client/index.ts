/** Front door of `client`: the Kafka client. */
export { Admin } from './admin.ts';
export { Cluster, type ClusterSettings, type TopicInfo } from './cluster.ts';
export { BrokerConnection, type ConnectionSettings } from './connection.ts';
export { Consumer, type ConsumerSettings, type FetchedBatches, offsetFor } from './consumer.ts';
export { clientErrors } from './errors.ts';
export { GROUP_DEFAULTS, GroupMember } from './group.ts';
export { committedOffsets, commitOffsets, type GroupOffset, type TopicPartition } from './group-offsets.ts';
export { Producer, type ProducerSettings } from './producer/producer.ts';
export type { Acknowledge } from './producer/window.ts';
export { type ClientSettings, clientSettings, DEFAULT_BOOTSTRAP, makeCluster, parseAddress } from './properties.ts';
