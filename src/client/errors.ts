/** Errors of the Kafka client: MR42xx. */
import { defineErrors } from '../base/index.ts';

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
  brokerError: {
    code: 'MR4205',
    text: '{api} {what}: {error}',
    exit: 1,
    help: 'Look the code up in the protocol reference; `retriable` ones are tried again by themselves.',
  },
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
});
