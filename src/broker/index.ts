/** Front door of `broker`: the Kafka server over `log` and `coordination`. */
export { appendRefusal, appendTimeOf } from './append-rules.ts';
export { Broker, BROKER_DEFAULTS } from './broker.ts';
export type { ListenerProtocol, ListenerReport, ListenerSettings } from './listener.ts';
export { consumerFormats } from './consumer-formats.ts';
export { brokerErrors } from './errors.ts';
export type { BrokerCounters, BrokerSettings } from './handler.ts';
export type { Refusal } from './refusals.ts';
export { isTopicName, TOPIC_CONFIGS, topicConfigDefect } from './topic-configs.ts';
export { TopicMaker } from './topic-maker.ts';
export { type AccessKey, accessKeyIdentity, type AccessRight } from './security/access-keys.ts';
export type { CertificateFiles } from './security/certificates.ts';
export { Security, type SecuritySettings } from './security/security.ts';
