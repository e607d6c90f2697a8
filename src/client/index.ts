/** Front door of `client`: the Kafka client. */
export { Admin } from './admin.ts';
export { Cluster, type ClusterSettings, type TopicInfo } from './cluster.ts';
export {
  type Authenticate,
  type AuthenticationExchange,
  BrokerConnection,
  type ConnectionSettings,
} from './connection.ts';
export { BY_RESET, FROM_END, FROM_START } from './consumer/assignment.ts';
export { Consumer, type ConsumerSettings, type FetchedBatches } from './consumer/consumer.ts';
export { END, offsetFor, START } from './consumer/positions.ts';
export { canPass, clientErrors } from './errors.ts';
export { describeGroup, type GroupDescription } from './group/description.ts';
export { GROUP_DEFAULTS, GroupMember } from './group/member.ts';
export { type AbortedTransaction, AbortedProducers } from './consumer/record-data.ts';
export { committedOffsets, commitOffsets, type GroupOffset } from './group/offsets.ts';
export { saslAuthenticate, type SaslSettings } from './authenticator.ts';
export {
  type Acl,
  type ScramInfo,
  type ScramMechanism,
  SecurityAdmin,
} from './security-admin.ts';
export { type Partitioner, partitioners } from './partitioners.ts';
export { Producer, type ProducerSettings } from './producer/producer.ts';
export type { Acknowledge } from './producer/batch.ts';
export {
  type ClientSettings,
  clientSettings,
  DEFAULT_BOOTSTRAP,
  isSecretProperty,
  makeCluster,
  noteOn,
  propertyDefect,
  propertyNames,
} from './properties.ts';
export type { TopicPartition } from './topic-partition.ts';
