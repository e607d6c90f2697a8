/** Front door of `broker`: the Kafka server over `log` and `coordination`. */
export { Broker, BROKER_DEFAULTS, type ListenerSettings } from './broker.ts';
export { brokerErrors } from './errors.ts';
export type { BrokerCounters, BrokerSettings } from './handler.ts';
export type { Refusal } from './refusals.ts';
export { isTopicName, TOPIC_CONFIGS, topicConfigDefect } from './topic-configs.ts';
