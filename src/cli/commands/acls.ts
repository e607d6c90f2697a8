/** `millrace acls`: who may do what on a cluster: list, allow, deny, delete. */
import type { Acl } from '../../client/index.ts';
import { BadValue, confirm, defineCommand, type Flag, outputFlag, yesFlag } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { data, type Format, listText, note } from '../output.ts';

const OPERATIONS: readonly Acl['operation'][] = [
  ...(['ALL', 'READ', 'WRITE', 'CREATE', 'DELETE', 'ALTER', 'DESCRIBE', 'CLUSTER_ACTION'] as const),
  ...(['DESCRIBE_CONFIGS', 'ALTER_CONFIGS', 'IDEMPOTENT_WRITE', 'TWO_PHASE_COMMIT'] as const),
];
const CLUSTER = 'kafka-cluster';

interface ResourceOptions {
  readonly topic?: string;
  readonly group?: string;
  readonly transactionalId?: string;
  readonly cluster?: boolean;
}

const resourceFlags: readonly Flag[] = [
  { flags: '--topic <name>', text: 'a topic; * is all, a name that ends in * all that begin so' },
  { flags: '--group <name>', text: 'a consumer group, likewise' },
  { flags: '--transactional-id <name>', text: 'a transactional id, likewise' },
  { flags: '--cluster', text: 'the cluster itself' },
];

/** The one resource that is named. */
function resourceOf(options: ResourceOptions): Pick<Acl, 'type' | 'pattern' | 'name'> | undefined {
  const named: (readonly [Acl['type'], string | undefined])[] = [
    ['TOPIC', options.topic],
    ['GROUP', options.group],
    ['TRANSACTIONAL_ID', options.transactionalId],
    ['CLUSTER', options.cluster ? CLUSTER : undefined],
  ];
  const given = named.filter(([, name]) => name !== undefined);
  if (given.length > 1)
    throw cliErrors.usage({ problem: 'more than one resource is named', remedy: 'name one at a time' });
  const [type, name = ''] = given[0] ?? [];
  if (type === undefined) return undefined;
  const isPrefix = name.length > 1 && name.endsWith('*');
  return { type, pattern: isPrefix ? 'PREFIXED' : 'LITERAL', name: isPrefix ? name.slice(0, -1) : name };
}

const operationsFlag: Flag = {
  flags: '--operation <name,...>',
  text: `of ${OPERATIONS.map(name => name.toLowerCase()).join(', ')}`,
  parse: text =>
    text.split(',').map(word => {
      const name = word.trim().toUpperCase().replaceAll('-', '_') as Acl['operation'];
      if (!OPERATIONS.includes(name)) throw new BadValue(`has ${word}, which is no operation`);
      return name;
    }),
};

interface GrantOptions extends KafkaOptions, ResourceOptions {
  readonly operation?: readonly Acl['operation'][];
  readonly host: string;
}

function grant(permission: 'ALLOW' | 'DENY', word: string): ReturnType<typeof defineCommand> {
  return defineCommand<GrantOptions>({
    name: word,
    summary: `${word} a principal something`,
    arguments: [['<principal>', 'such as User:alice; User:* is everybody']],
    flags: [
      ...kafkaFlags,
      ...resourceFlags,
      operationsFlag,
      { flags: '--host <address>', text: 'from this address only', default: '*' },
    ],
    examples: [`millrace acls ${word} User:alice --operation read,describe --topic 'orders*'`],
    run: ([principal]: readonly [string], options) =>
      withCluster(options, async (cluster, io) => {
        const resource = resourceOf(options);
        if (!resource || !options.operation)
          throw cliErrors.usage({
            problem: 'resource or operation is missing',
            remedy: 'say --operation, and one of --topic, --group, --transactional-id, --cluster',
          });
        const { SecurityAdmin } = await import('../../client/index.ts');
        const acls = options.operation.map(operation => ({
          ...resource,
          principal,
          host: options.host,
          operation,
          permission,
        }));
        await new SecurityAdmin(cluster, io.random).createAcls(acls);
        note(`made ${acls.length} ${acls.length === 1 ? 'binding' : 'bindings'}`);
      }),
  });
}

interface SearchOptions extends KafkaOptions, ResourceOptions {
  readonly principal?: string;
}

const principalFlag: Flag = { flags: '--principal <name>', text: 'of this principal only, such as User:alice' };
const COLUMNS = ['type', 'pattern', 'name', 'principal', 'host', 'operation', 'permission'] as const;

function searchOf(options: SearchOptions): Partial<Acl> {
  return { ...resourceOf(options), ...(options.principal !== undefined && { principal: options.principal }) };
}

const list = defineCommand<SearchOptions & { readonly output: Format }>({
  name: 'list',
  summary: 'bindings, all or those of a resource or principal',
  flags: [...kafkaFlags, ...resourceFlags, principalFlag, outputFlag],
  examples: ['millrace acls list', 'millrace acls list --topic orders --principal User:alice'],
  run: (_args: never, options) =>
    withCluster(options, async (cluster, io) => {
      const { SecurityAdmin } = await import('../../client/index.ts');
      const rows = (await new SecurityAdmin(cluster, io.random).acls(searchOf(options))).map(acl => ({ ...acl }));
      data(listText(options.output, COLUMNS, rows));
    }),
});

const remove = defineCommand<SearchOptions & { readonly yes?: boolean }>({
  name: 'delete',
  summary: 'take bindings away',
  flags: [...kafkaFlags, ...resourceFlags, principalFlag, yesFlag],
  examples: ['millrace acls delete --topic orders --principal User:alice --yes'],
  run: async (_args: never, options) => {
    confirm(options.yes, 'deleting bindings changes who may do what');
    await withCluster(options, async (cluster, io) => {
      const { SecurityAdmin } = await import('../../client/index.ts');
      const gone = await new SecurityAdmin(cluster, io.random).deleteAcls(searchOf(options));
      note(`deleted ${gone.length} ${gone.length === 1 ? 'binding' : 'bindings'}`);
    });
  },
});

export default defineCommand<object>({
  name: 'acls',
  summary: 'who may do what on a cluster',
  commands: [list, grant('ALLOW', 'allow'), grant('DENY', 'deny'), remove],
});
