/**
 * Client settings by librdkafka's names, as users of TQL write them in `options`. One row a property: what it sets, or why
 * it is refused. A property that is not here is an error with the nearest name.
 */
import type { Address, Arena, Io, MillraceError, TlsOptions } from '../base/index.ts';
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
type Setter = (draft: Draft, value: string, io: Io) => string | undefined | void;

function whole(set: (draft: Draft, value: number) => void): Setter {
  return (draft, value) => {
    if (!/^\d+$/.test(value)) return 'it must be a whole number';
    set(draft, Number(value));
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

const accepted: Setter = () => undefined;

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
const setLinger = whole((draft, ms) => {
  draft.producer.lingerMs = ms;
});
const setDelivery = whole((draft, ms) => {
  draft.producer.deliveryTimeoutMs = ms;
});
const setAcks = chosen({ '0': 0, '1': 1, '-1': -1, all: -1 } as const, (draft, acks) => {
  draft.producer.acks = acks;
});
const setWait = whole((draft, ms) => {
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
  'batch.size': whole((draft, bytes) => {
    draft.producer.batchBytes = bytes;
  }),
  'compression.type': setCodec,
  'compression.codec': setCodec,
  'message.timeout.ms': setDelivery,
  'delivery.timeout.ms': setDelivery,
  'queue.buffering.max.kbytes': whole((draft, kib) => {
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
  'request.timeout.ms': whole((draft, ms) => {
    draft.cluster.requestTimeoutMs = ms;
  }),
  'socket.timeout.ms': whole((draft, ms) => {
    draft.cluster.requestTimeoutMs = ms;
  }),
  'socket.connection.setup.timeout.ms': whole((draft, ms) => {
    draft.cluster.connectTimeoutMs = ms;
  }),
  'metadata.max.age.ms': whole((draft, ms) => {
    draft.cluster.metadataMaxAgeMs = ms;
  }),
  'retry.backoff.ms': whole((draft, ms) => {
    draft.cluster.backoffMs = ms;
  }),
  'retry.backoff.max.ms': whole((draft, ms) => {
    draft.cluster.backoffMaxMs = ms;
  }),
  'auto.offset.reset': chosen(RESET, (draft, reset) => {
    draft.consumer.reset = reset;
  }),
  'fetch.min.bytes': whole((draft, bytes) => {
    draft.consumer.minBytes = bytes;
  }),
  'fetch.wait.max.ms': setWait,
  'fetch.max.wait.ms': setWait,
  'fetch.max.bytes': whole((draft, bytes) => {
    draft.consumer.maxBytes = bytes;
  }),
  'max.partition.fetch.bytes': whole((draft, bytes) => {
    draft.consumer.partitionMaxBytes = bytes;
  }),
  'check.crcs': flag((draft, checksCrc) => {
    draft.consumer.checksCrc = checksCrc;
  }),
  'session.timeout.ms': whole((draft, ms) => {
    draft.group.sessionTimeoutMs = ms;
  }),
  'heartbeat.interval.ms': whole((draft, ms) => {
    draft.group.heartbeatMs = ms;
  }),
  'max.poll.interval.ms': whole((draft, ms) => {
    draft.group.rebalanceTimeoutMs = ms;
  }),
  // Everything is read as "uncommitted" until transactions are there; what both values mean is the same till then.
  'isolation.level': chosen({ read_committed: true, read_uncommitted: true }, () => undefined),
  'enable.partition.eof': accepted,
  'enable.metrics.push': accepted,
  'queued.min.messages': accepted,
  'queued.max.messages.kbytes': accepted,
  'api.version.request': accepted,
  'broker.address.family': accepted,
  'socket.keepalive.enable': accepted,
  'log.connection.close': accepted,
  'max.in.flight.requests.per.connection': whole((draft, count) => {
    draft.producer.batchesUnderwayMax = Math.min(Math.max(count, 1), 5);
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

/** Settings from properties. Throws MR4207 for one that cannot be taken. */
export function clientSettings(io: Io, properties: ReadonlyMap<string, string>): ClientSettings {
  const draft: Draft = {
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
  for (const [name, value] of properties) {
    const set = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
    if (!set) throw unknownProperty(name, value);
    const reason = set(draft, value, io);
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

function unknownProperty(name: string, value: string): MillraceError {
  const near = nearest(name, propertyNames);
  const reason = `unknown property${near ? `; did you mean ${near}?` : ''}`;
  return clientErrors.badProperty({ name, value: hidden(name, value), reason });
}

/** What neither a log nor an error shows. */
export function isSecretProperty(name: string): boolean {
  return /password|secret|key\.pem$|^sasl\.oauthbearer\.token$/.test(name);
}

function hidden(name: string, value: string): string {
  return isSecretProperty(name) ? '***' : value;
}
