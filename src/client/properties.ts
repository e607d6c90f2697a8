/**
 * Client settings by librdkafka's names, as users of TQL write them in `options`. One row a property: what it sets, or why
 * it is refused. A property that is not here is an error with the nearest name.
 */
import type { Address, Arena, Io, TlsOptions } from '../base/index.ts';
import { nearest, parseAddress } from '../base/index.ts';
import { mechanismNames } from '../sasl/index.ts';
import { Cluster, type ClusterSettings } from './cluster.ts';
import type { ResetPolicy } from './consumer/assignment.ts';
import { CONSUMER_DEFAULTS, type ConsumerSettings } from './consumer/consumer.ts';
import { clientErrors } from './errors.ts';
import { GROUP_DEFAULTS } from './group/member.ts';
import { authenticatorOf, OAUTH_NAMES, type SaslDraft } from './sasl-properties.ts';
import { partitioners } from './partitioners.ts';
import { PRODUCER_DEFAULTS, type ProducerSettings } from './producer/producer.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface ClientSettings {
  readonly cluster: ClusterSettings;
  readonly producer: ProducerSettings;
  readonly consumer: ConsumerSettings;
  readonly group: typeof GROUP_DEFAULTS & { readonly groupId: string | undefined };
}

interface Draft {
  cluster: Mutable<ClusterSettings>;
  producer: Mutable<ProducerSettings>;
  consumer: Mutable<ConsumerSettings>;
  group: {
    sessionTimeoutMs: number;
    heartbeatMs: number;
    rebalanceTimeoutMs: number;
    instanceId: string | null;
    groupId: string | undefined;
  };
  tls: Mutable<TlsOptions>;
  isTls: boolean;
  sasl: SaslDraft;
}

/** Sets the property; returns why the value cannot be taken. */
type Setter = (draft: Draft, value: string, io: Pick<Io, 'files'>) => string | undefined | void;

type Range = readonly [least: number, most: number, unit: string];

/** Ranges are librdkafka's. */
function whole([least, most, unit]: Range, set: (draft: Draft, value: number) => void): Setter {
  return (draft, value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) return `it must be a whole number of ${unit} from ${least} to ${most}`;
    set(draft, number);
  };
}

function flag(set: (draft: Draft, value: boolean) => void): Setter {
  return (draft, value) => {
    if (value !== 'true' && value !== 'false') return 'it must be true or false';
    set(draft, value === 'true');
  };
}

function chosen<T>(choices: Readonly<Record<string, T>>, set: (draft: Draft, value: T) => void): Setter {
  return (draft, value) => {
    if (!(value in choices)) return `it must be one of ${Object.keys(choices).join(', ')}`;
    set(draft, choices[value] as T);
  };
}

function file(set: (draft: Draft, bytes: Uint8Array) => void): Setter {
  return (draft, value, io) => {
    try {
      set(draft, io.files.readFile(value));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
}

const INT32_MAX = 2_147_483_647;
const SECRET = /password|secret|key\.pem$|^sasl\.oauthbearer\.token$/;
const accepted = flag(() => undefined);

/** Properties of configurations for librdkafka that mean nothing here, with what else there is; users are told. */
const NOTES: Readonly<Record<string, string>> = {
  'enable.partition.eof': 'ends of partitions are no events here: `exit=true` ends at them',
  'enable.metrics.push': 'no metrics are pushed to brokers: they are at /metrics',
  'log.connection.close': 'a connection that is closed while nothing waits for it is opened again without a word',
  'queued.min.messages': 'one answer of each broker is fetched ahead: `queued.max.messages.kbytes` bounds its size',
};
const WITHOUT_EFFECT: Readonly<Record<string, Setter>> = {
  'enable.partition.eof': accepted,
  'enable.metrics.push': accepted,
  'log.connection.close': accepted,
  'queued.min.messages': whole([1, 10_000_000, 'messages'], () => undefined),
};

const RESET: Readonly<Record<string, ResetPolicy>> = {
  earliest: 'earliest',
  smallest: 'earliest',
  beginning: 'earliest',
  latest: 'latest',
  largest: 'latest',
  end: 'latest',
  error: 'error',
};
const PROTOCOLS = Object.fromEntries(
  [
    { name: 'plaintext', isTls: false, hasSasl: false },
    { name: 'ssl', isTls: true, hasSasl: false },
    { name: 'sasl_plaintext', isTls: false, hasSasl: true },
    { name: 'sasl_ssl', isTls: true, hasSasl: true },
  ].flatMap(({ name, ...protocol }) => [name, name.toUpperCase()].map(written => [written, protocol])),
);
const setMechanism: Setter = (draft, value) => {
  if (!mechanismNames.includes(value)) return `it must be one of ${mechanismNames.join(', ')}`;
  draft.sasl.mechanism = value;
};
const setPassphrase: Setter = (draft, value) => {
  draft.tls.passphrase = value;
};
const CODECS = { none: 'none', gzip: 'gzip', snappy: 'snappy', lz4: 'lz4', zstd: 'zstd' } as const;
const setCodec = chosen(CODECS, (draft, codec) => {
  draft.producer.codec = codec;
});
const setLinger = whole([0, 900_000, 'milliseconds'], (draft, ms) => {
  draft.producer.lingerMs = ms;
});
const setDelivery = whole([0, INT32_MAX, 'milliseconds'], (draft, ms) => {
  draft.producer.deliveryTimeoutMs = ms;
});
const setAcks = chosen({ '0': 0, '1': 1, '-1': -1, all: -1 } as const, (draft, acks) => {
  draft.producer.acks = acks;
});
const setWait = whole([0, 300_000, 'milliseconds'], (draft, ms) => {
  draft.consumer.maxWaitMs = ms;
});

const OAUTH_PROPERTIES = Object.fromEntries(
  OAUTH_NAMES.map((name): [string, Setter] => [
    name,
    (draft, value) => {
      draft.sasl.oauth.set(name, value);
    },
  ]),
);

const PROPERTIES: Readonly<Record<string, Setter>> = {
  'bootstrap.servers': (draft, value) => {
    const addresses = value.split(',').map(part => parseAddress(part.trim(), DEFAULT_BOOTSTRAP.port));
    if (addresses.some(address => address === undefined)) return 'it must be host:port, separated by commas';
    draft.cluster.bootstrap = addresses as Address[];
  },
  'client.id': (draft, value) => {
    draft.cluster.clientId = value;
  },
  'group.id': (draft, value) => {
    draft.group.groupId = value;
  },
  'group.instance.id': (draft, value) => {
    draft.group.instanceId = value;
  },
  'security.protocol': chosen(PROTOCOLS, (draft, { hasSasl, isTls }) => {
    draft.isTls = isTls;
    draft.sasl.isOn = hasSasl;
  }),
  'ssl.ca.location': file((draft, bytes) => {
    draft.tls.ca = bytes;
  }),
  'ssl.certificate.location': file((draft, bytes) => {
    draft.tls.cert = bytes;
  }),
  'ssl.key.location': file((draft, bytes) => {
    draft.tls.key = bytes;
  }),
  'ssl.ca.pem': (draft, value) => {
    draft.tls.ca = value;
  },
  'ssl.certificate.pem': (draft, value) => {
    draft.tls.cert = value;
  },
  'ssl.key.pem': (draft, value) => {
    draft.tls.key = value;
  },
  'ssl.key.password': setPassphrase,
  'ssl.keystore.location': file((draft, bytes) => {
    draft.tls.pfx = bytes;
  }),
  'ssl.keystore.password': setPassphrase,
  'ssl.endpoint.identification.algorithm': chosen({ https: true, none: false, '': false }, (draft, verifyHost) => {
    draft.tls.verifyHost = verifyHost;
  }),
  'enable.ssl.certificate.verification': flag((draft, verify) => {
    draft.tls.verify = verify;
  }),
  acks: setAcks,
  'request.required.acks': setAcks,
  'linger.ms': setLinger,
  'queue.buffering.max.ms': setLinger,
  'batch.size': whole([1, INT32_MAX, 'bytes'], (draft, bytes) => {
    draft.producer.batchBytes = bytes;
  }),
  'compression.type': setCodec,
  'compression.codec': setCodec,
  'message.timeout.ms': setDelivery,
  'delivery.timeout.ms': setDelivery,
  'queue.buffering.max.kbytes': whole([1, INT32_MAX, 'KiB'], (draft, kib) => {
    draft.producer.memoryBytesMax = kib * 1024;
  }),
  'enable.idempotence': flag((draft, isIdempotent) => {
    draft.producer.isIdempotent = isIdempotent;
  }),
  partitioner: (draft, value) => {
    if (!(value in partitioners)) return `it must be one of ${Object.keys(partitioners).join(', ')}`;
    draft.producer.partitioner = value as keyof typeof partitioners;
  },
  'allow.auto.create.topics': flag((draft, canCreate) => {
    draft.producer.canCreateTopics = canCreate;
  }),
  'request.timeout.ms': whole([1, 900_000, 'milliseconds'], (draft, ms) => {
    draft.producer.acknowledgeTimeoutMs = ms;
  }),
  'socket.timeout.ms': whole([10, 300_000, 'milliseconds'], (draft, ms) => {
    draft.cluster.requestTimeoutMs = ms;
  }),
  'socket.connection.setup.timeout.ms': whole([1_000, INT32_MAX, 'milliseconds'], (draft, ms) => {
    draft.cluster.connectTimeoutMs = ms;
  }),
  'metadata.max.age.ms': whole([1, 86_400_000, 'milliseconds'], (draft, ms) => {
    draft.cluster.metadataMaxAgeMs = ms;
  }),
  'retry.backoff.ms': whole([1, 300_000, 'milliseconds'], (draft, ms) => {
    draft.cluster.backoffMs = ms;
  }),
  'retry.backoff.max.ms': whole([1, 300_000, 'milliseconds'], (draft, ms) => {
    draft.cluster.backoffMaxMs = ms;
  }),
  'auto.offset.reset': chosen(RESET, (draft, reset) => {
    draft.consumer.reset = reset;
  }),
  'fetch.min.bytes': whole([1, 100_000_000, 'bytes'], (draft, bytes) => {
    draft.consumer.minBytes = bytes;
  }),
  'fetch.wait.max.ms': setWait,
  'fetch.max.wait.ms': setWait,
  'fetch.max.bytes': whole([1, INT32_MAX, 'bytes'], (draft, bytes) => {
    draft.consumer.maxBytes = bytes;
  }),
  'max.partition.fetch.bytes': whole([1, 1_000_000_000, 'bytes'], (draft, bytes) => {
    draft.consumer.partitionMaxBytes = bytes;
  }),
  'check.crcs': flag((draft, checksCrc) => {
    draft.consumer.checksCrc = checksCrc;
  }),
  'session.timeout.ms': whole([1, 3_600_000, 'milliseconds'], (draft, ms) => {
    draft.group.sessionTimeoutMs = ms;
  }),
  'heartbeat.interval.ms': whole([1, 3_600_000, 'milliseconds'], (draft, ms) => {
    draft.group.heartbeatMs = ms;
  }),
  'max.poll.interval.ms': whole([1, 86_400_000, 'milliseconds'], (draft, ms) => {
    draft.group.rebalanceTimeoutMs = ms;
  }),
  'isolation.level': chosen({ read_committed: true, read_uncommitted: false }, (draft, readsCommitted) => {
    draft.consumer.readsCommitted = readsCommitted;
  }),
  'queued.max.messages.kbytes': whole([1, 2_097_151, 'KiB'], (draft, kib) => {
    draft.consumer.queuedBytesMax = kib * 1024;
  }),
  'broker.address.family': chosen({ any: undefined, v4: 4, v6: 6 } as const, (draft, family) => {
    if (family) draft.cluster.addressFamily = family;
  }),
  'socket.keepalive.enable': flag((draft, keepsAlive) => {
    draft.cluster.keepsAlive = keepsAlive;
  }),
  'api.version.request': (_draft, value) =>
    value === 'true' ? undefined : 'versions are always agreed upon with the broker: it must be true',
  ...WITHOUT_EFFECT,
  'max.in.flight.requests.per.connection': whole([1, 1_000_000, 'requests'], (draft, count) => {
    // More would cost the order of records.
    draft.producer.batchesUnderwayMax = Math.min(count, 5);
  }),
  'sasl.mechanism': setMechanism,
  'sasl.mechanisms': setMechanism,
  'sasl.username': (draft, value) => {
    draft.sasl.username = value;
  },
  'sasl.password': (draft, value) => {
    draft.sasl.password = value;
  },
  ...OAUTH_PROPERTIES,
};

export const propertyNames: readonly string[] = Object.keys(PROPERTIES);

export const DEFAULT_BOOTSTRAP: Address = { host: '127.0.0.1', port: 9092 };

function newDraft(): Draft {
  return {
    cluster: {
      clientId: 'millrace',
      tls: undefined,
      bootstrap: [DEFAULT_BOOTSTRAP],
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      answerBytesMax: 512 * 1024 * 1024,
      metadataMaxAgeMs: 300_000,
      backoffMs: 100,
      backoffMaxMs: 2_000,
    },
    producer: { ...PRODUCER_DEFAULTS },
    consumer: { ...CONSUMER_DEFAULTS },
    group: { ...GROUP_DEFAULTS, groupId: undefined },
    tls: {},
    isTls: false,
    sasl: { isOn: false, mechanism: undefined, oauth: new Map() },
  };
}

/** Why a property with this value changes nothing, where somebody might expect that it does. */
export function noteOn(name: string, value: string): string | undefined {
  return value === 'false' ? undefined : NOTES[name];
}

/** What is wrong with a property's value, as far as that can be told without reading files. */
export function propertyDefect(name: string, value: string): string | undefined {
  const set = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
  if (!set) return unknownProperty(name);
  if (name.endsWith('.location')) return undefined;
  return set(newDraft(), value, {} as never) ?? undefined;
}

/** Settings from properties. Throws MR4207 for one that cannot be taken. */
export function clientSettings(io: Io, properties: ReadonlyMap<string, string>): ClientSettings {
  const draft = newDraft();
  for (const [name, value] of properties) {
    const set = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
    const reason = set ? set(draft, value, io) : unknownProperty(name);
    if (typeof reason === 'string') throw clientErrors.badProperty({ name, value: hidden(name, value), reason });
  }
  if (draft.isTls) draft.cluster.tls = draft.tls;
  if (draft.sasl.isOn) draft.cluster.authenticate = authenticatorOf(io, draft.sasl);
  return { cluster: draft.cluster, producer: draft.producer, consumer: draft.consumer, group: draft.group };
}

/** With an arena, fetched batches lie in its slabs, and who takes them releases them. */
export function makeCluster(io: Io, settings: ClientSettings, arena?: Arena): Cluster {
  return new Cluster(io, { ...settings.cluster, ...(arena && { arena }) });
}

function unknownProperty(name: string): string {
  const near = nearest(name, propertyNames);
  return `unknown property${near ? `; did you mean ${near}?` : ''}`;
}

/** What neither a log nor an error shows; names that were mistyped count as what they are near. */
export function isSecretProperty(name: string): boolean {
  const known = Object.hasOwn(PROPERTIES, name) ? name : (nearest(name, propertyNames) ?? name);
  return SECRET.test(name) || SECRET.test(known);
}

function hidden(name: string, value: string): string {
  return isSecretProperty(name) ? '***' : value;
}
