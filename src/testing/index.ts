/** Front door of `testing`: the public test kit. */
export { type Certificate, CertificateAuthority, type CertificateWish } from './certificates.ts';
export { fuzz, fuzzAsync } from './fuzz.ts';
export {
  type InnerOffsets,
  type LegacyCodec,
  type LegacyMessage,
  message,
  messageSet,
  wrapper,
} from './message-sets.ts';
export { startTestBroker, type TestBroker, type TestBrokerParts } from './broker.ts';
export { SimBroker, type SimBrokerParts } from './sim/broker.ts';
export { GroupClient, type GroupClientSettings, stableGroup, syncAll } from './sim/group-client.ts';
export { ConsumerMember, type ConsumerMemberSettings } from './sim/consumer-member.ts';
export { WireClient } from './wire-client.ts';
export type { EngineMode } from './modes.ts';
export { Feed, type Fields, Held, HoldSink, type Stand, standOf } from './stages.ts';
export { assertBalanced, memoryCheckpoints, type PipelineRun, runPipeline } from './pipeline.ts';
export {
  type Answer,
  CLOSE,
  HANG,
  ScriptedBroker,
  ScriptedCluster,
  type SeenRequest,
} from './scripted-broker.ts';
