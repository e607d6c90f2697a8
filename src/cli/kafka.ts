/** What commands over the Kafka protocol share: flags, and a cluster for as long as the command takes. They work with any cluster. */
import type { Cluster } from '../client/index.ts';
import { MillraceError } from '../base/index.ts';
import { type Flag, keyValue } from './command.ts';
import { cliErrors } from './errors.ts';
import { readText } from './files.ts';

export interface KafkaOptions {
  readonly brokers?: string;
  readonly property?: readonly (readonly [string, string])[];
  readonly properties?: string;
}

export const kafkaFlags: readonly Flag[] = [
  { flags: '-b, --brokers <host:port,...>', text: 'Kafka brokers (default: the running process, else 127.0.0.1:9092)' },
  {
    flags: '-X, --property <name=value>',
    text: "a client property by librdkafka's name, such as security.protocol=ssl",
    parse: keyValue,
    isList: true,
  },
  { flags: '--properties <file>', text: 'client properties, one name=value a line; the place for passwords' },
];

export async function withCluster<T>(options: KafkaOptions, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const [{ nodeIo }, { clientSettings, makeCluster }, { runningBroker }] = await Promise.all([
    import('../base/io/node.ts'),
    import('../client/index.ts'),
    import('./running.ts'),
  ]);
  const io = nodeIo();
  const brokers = options.brokers ?? (await runningBroker(io.files));
  const properties = new Map([
    ...(brokers === undefined ? [] : [['bootstrap.servers', brokers] as const]),
    ...(options.properties === undefined
      ? []
      : propertiesOf(options.properties, readText(io.files, options.properties))),
    ...(options.property ?? []),
  ]);
  const cluster = makeCluster(
    io,
    checked(() => clientSettings(io, properties)),
  );
  try {
    return await use(cluster);
  } finally {
    await cluster.close();
  }
}

/** A property that cannot be taken is wrong usage here. */
function checked<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const { name, reason, value } = error.details;
    throw cliErrors.badValue({ flag: `property ${String(name)}`, value, reason }, error);
  }
}

function propertiesOf(file: string, text: string): (readonly [string, string])[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    if (/^\s*(#|!|$)/.test(line)) return [];
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined)
      throw cliErrors.noSuchFile({ file: `${file}:${i + 1}`, reason: 'the line is not name=value' });
    return [[name, value ?? ''] as const];
  });
}
