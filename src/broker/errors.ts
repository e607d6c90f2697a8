/** Errors of the broker: MR54xx. What a client did that we refuse, with the remedy that its own message hides. */
import { defineErrors } from '../base/index.ts';

export const brokerErrors = defineErrors({
  unknownProject: {
    code: 'MR5438',
    text: 'project {project} is not served here; there are {known}',
    kafka: 3,
    help: 'The user name is the project’s name: correct it, or connect to the endpoint that serves the project.',
  },
  unknownLogstore: {
    code: 'MR5439',
    text: 'Logstore {logstore} does not exist in project {project}; {hint}',
    kafka: 3,
    help: 'Logstores are not made by writing to them: create it first (millrace topics create), or correct the name.',
  },
  frameTooLarge: {
    code: 'MR5401',
    text: 'a request of {size} bytes, the limit is {limit}',
    help: 'Raise socket_request_max_bytes, or make the client’s batches smaller.',
  },
  tlsOnPlaintext: {
    code: 'MR5402',
    text: 'a TLS handshake on a plaintext listener',
    help: 'Set security.protocol=PLAINTEXT in the client, or connect to a TLS listener.',
  },
  httpOnKafka: {
    code: 'MR5403',
    text: 'an HTTP request on the Kafka port',
    help: 'The HTTP address is another one; it is printed at the start.',
  },
  proxyHeader: {
    code: 'MR5404',
    text: 'a PROXY protocol header on a listener that expects none',
    help: 'Switch the PROXY protocol off in the load balancer in front of this listener.',
  },
  garbage: {
    code: 'MR5405',
    text: 'bytes that are no Kafka request: {reason}',
    help: 'Something else than a Kafka client connects here; find out what listens for whom.',
  },
  unknownApi: {
    code: 'MR5406',
    text: 'API {key} is not known here',
    help: 'The client wants a feature that this server does not list; switch it off in the client.',
  },
  unsupportedVersion: {
    code: 'MR5407',
    text: '{api} version {version}; this server speaks {min} to {max}',
    help: 'Let the client negotiate (ApiVersions), or set a protocol version of Kafka in it that this server knows.',
  },
  malformed: {
    code: 'MR5408',
    text: 'a malformed {api} request: {reason}',
    help: 'The client’s encoding and the version that it names do not agree; update the client.',
  },
  handlerFailed: {
    code: 'MR5409',
    text: '{api} failed: {reason}',
    help: 'This is a defect of Millrace, not of the client; the log has the stack.',
  },
  zstdUnreadable: {
    code: 'MR5419',
    text: 'zstd batches of {topic}/{partition} are not for Fetch version {version}: the client is older than the codec',
    help: 'Update the client to Kafka 2.1 or later, or let the producers of the topic use another compression.type.',
  },
  stalled: {
    code: 'MR5411',
    text: 'a request of which less than 64 KiB came in {seconds} s',
    help: 'The client hangs, or the network between lost it; the client sends again over a new connection.',
  },
  tooManyConnections: {
    code: 'MR5412',
    text: 'connection number {count}; the limit is {limit}',
    help: 'Look for clients that open a connection for every message, or that never close theirs.',
  },
  topicRefused: {
    code: 'MR5413',
    text: 'topic {topic} is not made: {reason}',
    help: 'Use another name, or make the topic beforehand.',
  },
  unreadable: {
    code: 'MR5415',
    text: 'records of {topic}/{partition} cannot be read: {reason}',
    help: 'Run `millrace log check` on the data directory. The client comes again for ever; skip the batch to go on.',
  },
  memberRefused: {
    code: 'MR5460',
    text: 'a member of group {group} refused with {code}: {reason}',
    help: 'See the reason: correct the subscription, the assignor or the group’s name in the client, or wait until the other member has gone.',
  },
  produceRefused: {
    code: 'MR5410',
    text: 'records for {topic}/{partition} refused with {error}: {reason}',
    help: 'See the reason; the client is told the code and decides whether it tries again.',
  },
});
