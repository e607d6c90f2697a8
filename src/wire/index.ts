/**
 * Front door of `wire`: the Kafka protocol without any I/O. `apis` holds every API with its codecs; `encodeRequest`,
 * `encodeResponse`, `decodeRequestHeader`, `decodeResponse` make and read frames; record data is opaque here and read by
 * `wire/records`.
 */
export { OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from './acl-codes.ts';
export type { AnyApi, Api } from './api.ts';
export { ERROR_CODES, type ErrorName, errorCode, errorName, isRetriable } from './error-codes.ts';
export { wireErrors } from './errors.ts';
export { decodeRequestHeader, decodeResponse, encodeRequest, encodeResponse, type RequestHeader } from './frame.ts';
export * as apis from './generated/apis.ts';
export type * from './generated/apis-types.ts';
export {
  type ConsumerProtocolAssignment,
  type ConsumerProtocolSubscription,
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from './generated/consumer-protocol.ts';
export { Reader } from './reader.ts';
export { NONE, type Records, ZERO_UUID } from './types.ts';
export { Writer } from './writer.ts';
