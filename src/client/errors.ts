/** Errors of the Kafka client: MR42xx. */
import { defineErrors, type ErrorFactory, MillraceError } from '../base/index.ts';
import { type ErrorName, errorName, isRetriable } from '../wire/index.ts';

export const clientErrors = defineErrors({
  noBroker: {
    code: 'MR4201',
    text: 'no broker of {brokers} can be reached: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'Check bootstrap.servers, that the broker runs, and that TLS is set on both sides or on none.',
  },
  connectionLost: {
    code: 'MR4202',
    text: 'the connection to {broker} was lost: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'The client connects again by itself; look at the broker’s log if it goes on.',
  },
  requestTimeout: {
    code: 'MR4203',
    text: '{api} to {broker} was not answered within {ms} ms',
    retry: 'reconnect',
    exit: 5,
    help: 'The broker hangs or is overloaded; the request is tried again where that is safe.',
  },
  unsupportedApi: {
    code: 'MR4204',
    text: '{broker} does not serve {api} in a version that this client speaks ({min} to {max})',
    exit: 1,
    help: 'Brokers from 0.11 on are supported; older ones lack the record format.',
  },
  brokerError: { code: 'MR4205', text: '{api} {what}: {error}', exit: 1, help: '{remedy}' },
  deliveryTimeout: {
    code: 'MR4206',
    text: '{records} records for {topic}/{partition} were not delivered within {ms} ms: {reason}',
    exit: 1,
    help: 'The broker did not acknowledge in time; raise delivery.timeout.ms or mend the cause.',
  },
  badProperty: {
    code: 'MR4207',
    text: 'failed to set librdkafka option {name}={value}: {reason}',
    exit: 1,
    help: 'Property names are those of librdkafka; see the reference of from_kafka and to_kafka.',
  },
  closed: { code: 'MR4208', text: 'the client is closed', exit: 1, help: 'It was closed while this was under way.' },
  unknownTopic: {
    code: 'MR4209',
    text: 'topic {topic} does not exist',
    exit: 4,
    help: 'Create it, or allow the broker to create topics.',
  },
  noVersions: {
    code: 'MR4210',
    text: '{broker} ended the connection when it was asked for its versions: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'It is starting or stopping, older than Kafka 0.10, a listener with TLS (security.protocol=ssl), or one that wants a client certificate that it trusts (ssl.certificate.location).',
  },
  otherProtocol: {
    code: 'MR4211',
    text: '{broker} is not what was expected: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'Set security.protocol to what the listener speaks, and check the port.',
  },
  untrusted: {
    code: 'MR4212',
    text: '{broker} is not trusted: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'Name the authority in ssl.ca.location, connect by a name that the certificate carries, or renew the certificate.',
  },
  tlsRefused: {
    code: 'MR4213',
    text: '{broker} refused the TLS handshake: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'Set ssl.certificate.location and ssl.key.location to a certificate that the broker accepts.',
  },
  tlsFailed: {
    code: 'MR4214',
    text: 'TLS with {broker} failed: {reason}',
    retry: 'reconnect',
    exit: 5,
    help: 'Check the TLS versions and ciphers of both sides.',
  },
  badAnswer: {
    code: 'MR4215',
    text: '{broker} sent {reason}',
    retry: 'reconnect',
    exit: 1,
    help: 'It does not keep to the protocol; look at who it is, and at proxies on the way.',
  },
  badKeyFiles: {
    code: 'MR4217',
    text: 'the certificate or key for TLS with {broker} cannot be used: {reason}',
    exit: 78,
    help: 'Check that the files are PEM, that certificate and key belong together, and that ssl.key.password opens the key.',
  },
  notReady: {
    code: 'MR4218',
    text: '{api} {what}: {error}',
    retry: 'backoff',
    exit: 5,
    help: 'The cluster is electing, loading or overloaded; it is tried again.',
  },
  badBatch: {
    code: 'MR4219',
    text: '{topic}/{partition} at offset {offset}: {reason}',
    exit: 1,
    help: 'The bytes changed after they were produced; read on behind them with an explicit offset, and check that broker’s disk.',
  },
  topicRecreated: {
    code: 'MR4220',
    text: '{topic} was deleted and created again; {topic}/{partition} is read from its start',
    exit: 1,
    help: 'Offsets of the old topic mean nothing in the new one.',
  },
  logTruncated: {
    code: 'MR4221',
    text: '{topic}/{partition} lost the records from {end} on that were read up to {offset}; reading goes on at {end}',
    exit: 1,
    help: 'The cluster lost acknowledged records (an unclean leader election or a repair); compare source and destination.',
  },
  offsetReset: {
    code: 'MR4222',
    text: '{topic}/{partition} has nothing at offset {offset} any more; reading goes on at its {place}',
    exit: 1,
    help: 'Retention was faster than the reader; raise retention or give the reader more room.',
  },
  notForwarded: {
    code: 'MR4223',
    text: 'a record batch cannot be sent to {topic}/{partition} as it is: {reason}',
    exit: 1,
    help: 'Read its records and send them one by one.',
  },
  notAllowed: { code: 'MR4230', text: '{api} {what}: {error}', exit: 6, help: '{remedy}' },
});

/** What can be done about answers that trying again does not help. */
const REMEDIES: Partial<Readonly<Record<ErrorName, string>>> = {
  MESSAGE_TOO_LARGE: 'Raise max.message.bytes of the topic, or send smaller records.',
  TOPIC_AUTHORIZATION_FAILED: 'Give the user the right to the topic on the cluster.',
  GROUP_AUTHORIZATION_FAILED: 'Give the user the right to the consumer group on the cluster.',
  CLUSTER_AUTHORIZATION_FAILED:
    'Give the user the right on the cluster (idempotent producers may need IdempotentWrite).',
  INVALID_TOPIC_EXCEPTION: 'Topic names are 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen.',
  INVALID_SESSION_TIMEOUT:
    'Set session.timeout.ms to what the cluster allows (group.min and group.max.session.timeout.ms).',
  INCONSISTENT_GROUP_PROTOCOL: 'The members of a group need an assignment strategy in common; this client knows range.',
  FENCED_INSTANCE_ID: 'Another member runs under the same group.instance.id; give each its own.',
  GROUP_MAX_SIZE_REACHED: 'The group has as many members as the cluster allows; use another or raise group.max.size.',
  UNSUPPORTED_COMPRESSION_TYPE: 'Choose another compression.type; zstd needs brokers from 2.1 on.',
  OFFSET_OUT_OF_RANGE: 'Set auto.offset.reset to earliest or latest, or name an `offset` that is still there.',
};

/** The error of an answer's code; who gets it may try again where the code says so. */
export function brokerError(api: string, what: string, code: number): MillraceError {
  const error = errorName(code);
  if (isRetriable(code)) return clientErrors.notReady({ api, what, error });
  const remedy = REMEDIES[error] ?? 'Look the code up in the protocol reference, and at the broker’s log.';
  const isRight = error.endsWith('_AUTHORIZATION_FAILED');
  return clientErrors[isRight ? 'notAllowed' : 'brokerError']({ api, what, error, remedy });
}

/** Whether trying again can help. What is no operational error is a bug, and does not pass by itself. */
export function canPass(error: unknown): boolean {
  return error instanceof MillraceError && error.retry !== 'no';
}

/** Whether an error is one that the factory makes. */
export function isOf(error: unknown, factory: ErrorFactory): error is MillraceError {
  return error instanceof MillraceError && error.row === factory.row;
}
