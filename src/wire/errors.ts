/** Errors of the wire format: MR40xx. A peer's bytes are never trusted; these are what it gets for wrong ones. */
import { defineErrors } from '../base/index.ts';

export const wireErrors = defineErrors({
  malformed: {
    code: 'MR4001',
    text: 'malformed message: {reason} at byte {position}',
    retry: 'no',
    kafka: 42,
    help: 'The peer does not speak the Kafka protocol as it announced; look at who it is and which version it uses.',
  },
  unsupportedVersion: {
    code: 'MR4002',
    text: '{api} version {version} is not supported, versions {min} to {max} are',
    retry: 'no',
    kafka: 35,
    help: 'Let the client negotiate versions (ApiVersions) or configure one in the range.',
  },
  corruptBatch: {
    code: 'MR4003',
    text: 'corrupt record batch: {reason}',
    retry: 'no',
    kafka: 2,
    help: 'The bytes changed between the producer and here: check memory, network and proxies on the way.',
  },
  decompression: {
    code: 'MR4004',
    text: 'cannot decompress {codec}: {reason}',
    retry: 'no',
    kafka: 2,
    help: 'The batch is damaged, or inflates beyond the bound that protects the process.',
  },
  corruptMessage: {
    code: 'MR4005',
    text: 'corrupt message at byte {position}: {reason}',
    retry: 'no',
    kafka: 2,
    help: 'The bytes changed between the client and here, or the client writes message formats 0 and 1 wrongly.',
  },
  codecNeedsFormat2: {
    code: 'MR4006',
    text: '{codec} is a codec of record format 2, message format {magic} has none like it',
    retry: 'no',
    kafka: 76,
    help: 'Update the client to one of Kafka 2.1 or later, or let the producers of this topic use another compression.type.',
  },
  messageTimestamp: {
    code: 'MR4007',
    text: 'invalid timestamp of a message: {reason}',
    retry: 'no',
    kafka: 32,
    help: 'Correct the clock or the timestamps of the producer.',
  },
  messageTooLarge: {
    code: 'MR4008',
    text: 'a message of {size} bytes, the limit is {limit}',
    retry: 'no',
    kafka: 10,
    help: 'Raise max.message.bytes of the topic, or make the batches of the producer smaller.',
  },
  cannotEncode: {
    code: 'MR4009',
    text: 'a message cannot be written: {reason}',
    retry: 'no',
    kafka: 42,
    help: 'Shorten the name or text that is too long for this version of the protocol, or use a newer version of the API.',
  },
});
