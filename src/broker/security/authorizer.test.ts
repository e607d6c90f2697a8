/** Decisions as Kafka's authorizer makes them; bindings that are durable; rights of access keys beside them. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { MillraceError } from '../../base/index.ts';
import { openMemoryLog } from '../../testing/memory-log.ts';
import { OPERATIONS, PATTERN_TYPES, PERMISSIONS, RESOURCE_TYPES } from '../../wire/index.ts';
import { type AclBinding, bindingDefect, filterDefect, type Operation, type ResourceType } from './acl.ts';
import { type AccessKey, accessKeyAuthority, accessKeyIdentity, bindingsOf } from './access-keys.ts';
import { Authorizer, type AuthorizerSettings } from './authorizer.ts';
import { userIdentity } from './identity.ts';

const ON: AuthorizerSettings = { isOn: true, superUsers: new Set(['User:root']), allowsWithoutAcl: false };
const alice = userIdentity('alice');

/** `allow User:alice READ topic orders`, `deny … from 10.0.0.1`, `prefix`. */
function binding(text: string): AclBinding {
  const [permission, principal, operation, type, name = '', host = '*'] = text.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const isPrefix = name.endsWith('…');
  return {
    resourceType: RESOURCE_TYPES[type as ResourceType],
    patternType: isPrefix ? PATTERN_TYPES.PREFIXED : PATTERN_TYPES.LITERAL,
    resourceName: isPrefix ? name.slice(0, -1) : name,
    principal,
    host,
    operation: OPERATIONS[operation as keyof typeof OPERATIONS],
    permissionType: permission === 'allow' ? PERMISSIONS.ALLOW : PERMISSIONS.DENY,
  };
}

async function authorizer(t: TestContext, bindings: readonly string[], settings = ON): Promise<Authorizer> {
  const { log } = await openMemoryLog();
  t.after(() => log.close());
  const made = new Authorizer(log, settings);
  await made.create('', bindings.map(binding));
  return made;
}

for (const [bindings, operation, name, isAllowed] of [
  [[], 'READ', 'orders', false],
  [['allow User:alice READ TOPIC orders'], 'READ', 'orders', true],
  [['allow User:alice READ TOPIC orders'], 'WRITE', 'orders', false],
  [['allow User:alice READ TOPIC orders'], 'READ', 'orders2', false],
  [['allow User:alice READ TOPIC ord…'], 'READ', 'orders2', true],
  [['allow User:alice READ TOPIC *'], 'READ', 'x', true],
  [['allow User:* READ TOPIC *'], 'READ', 'x', true],
  [['allow User:bob READ TOPIC *'], 'READ', 'x', false],
  [['allow User:alice ALL TOPIC x'], 'ALTER_CONFIGS', 'x', true],
  [['allow User:alice WRITE TOPIC x'], 'DESCRIBE', 'x', true],
  [['allow User:alice ALTER_CONFIGS TOPIC x'], 'DESCRIBE_CONFIGS', 'x', true],
  [['allow User:alice DESCRIBE TOPIC x'], 'READ', 'x', false],
  [['allow User:alice ALL TOPIC *', 'deny User:alice READ TOPIC x'], 'READ', 'x', false],
  [['allow User:alice ALL TOPIC *', 'deny User:* ALL TOPIC se…'], 'READ', 'secret', false],
  [['allow User:alice ALL TOPIC *', 'deny User:alice READ TOPIC x'], 'DESCRIBE', 'x', true],
  [['allow User:alice READ TOPIC x 10.0.0.1'], 'READ', 'x', false],
  [['allow User:alice READ TOPIC x 127.0.0.1'], 'READ', 'x', true],
  [['allow User:alice READ GROUP x'], 'READ', 'x', false],
] as const) {
  test(`[${bindings.join(', ')}]: alice may ${isAllowed ? '' : 'not '}${operation} ${name}`, async t => {
    const made = await authorizer(t, bindings);
    const question = {
      identity: alice,
      host: '127.0.0.1',
      operation: operation as Operation,
      type: 'TOPIC',
      name,
    } as const;
    assert.equal(made.allows(question), isAllowed);
    assert.equal(made.allows({ ...question, identity: userIdentity('root') }), true);
  });
}

test('without bindings for a resource the setting decides; switched off, everything is allowed', async t => {
  const question = { identity: alice, host: 'h', operation: 'READ', type: 'TOPIC', name: 'x' } as const;
  const open = await authorizer(t, ['allow User:bob READ TOPIC y'], { ...ON, allowsWithoutAcl: true });
  assert.deepEqual([open.allows(question), open.allows({ ...question, name: 'y' })], [true, false]);
  const off = await authorizer(t, [], { ...ON, isOn: false });
  assert.ok(off.allows(question));
  assert.ok(!off.allows({ ...question, identity: userIdentity('alice', 'shop') }), 'projects are always guarded');
});

test('a change counts for the next question, and is there after the log was reopened', async () => {
  const first = await openMemoryLog();
  const made = new Authorizer(first.log, ON);
  const question = { identity: alice, host: 'h', operation: 'READ', type: 'TOPIC', name: 'x' } as const;
  assert.equal(made.allows(question), false);
  const read = binding('allow User:alice READ TOPIC x');
  const write = binding('allow User:alice WRITE TOPIC x');
  await made.create('', [read, write]);
  assert.equal(made.allows(question), true);
  await made.delete('', [write]);
  await first.log.close();
  const second = await openMemoryLog(first.disk);
  const again = new Authorizer(second.log, ON);
  assert.equal(again.allows(question), true);
  const everything = {
    resourceType: 1,
    patternType: 1,
    resourceName: null,
    principal: null,
    host: null,
    operation: 1,
    permissionType: 1,
  };
  assert.deepEqual(again.find('', everything), [read]);
  assert.deepEqual(again.find('shop', everything), []);
  await again.delete('', [read]);
  assert.equal(again.allows(question), false);
  await second.log.close();
});

test('filters find by name, by every pattern that takes a name, by principal, host, operation and permission', async t => {
  const all = [
    'allow User:a READ TOPIC orders',
    'allow User:a READ TOPIC ord…',
    'allow User:b WRITE TOPIC *',
    'deny User:a READ GROUP orders 10.0.0.1',
  ];
  const made = await authorizer(t, all);
  const any = {
    resourceType: 1,
    patternType: 1,
    resourceName: null,
    principal: null,
    host: null,
    operation: 1,
    permissionType: 1,
  };
  const found = (filter: Partial<Omit<typeof any, 'resourceName'>> & { resourceName?: string }): number[] =>
    made
      .find('', { ...any, ...filter })
      .map(hit => all.findIndex(text => JSON.stringify(binding(text)) === JSON.stringify(hit)));
  assert.deepEqual(found({}), [0, 1, 2, 3]);
  assert.deepEqual(found({ resourceType: 2, patternType: 2, resourceName: 'orders' }), [0, 1, 2]);
  assert.deepEqual(found({ resourceType: 2, patternType: 3, resourceName: 'orders' }), [0]);
  assert.deepEqual(found({ patternType: 4 }), [1]);
  assert.deepEqual(found({ operation: OPERATIONS.WRITE }), [2]);
  assert.deepEqual(found({ permissionType: PERMISSIONS.DENY }), [3]);
});

test('what cannot be a binding or a filter says why', () => {
  const good = binding('allow User:a READ TOPIC x');
  assert.equal(bindingDefect(good), undefined);
  for (const change of [
    { resourceType: 1 },
    { resourceType: 6 },
    { patternType: 2 },
    { resourceName: '' },
    { operation: OPERATIONS.CLUSTER_ACTION },
    { operation: 1 },
    { permissionType: 1 },
    { principal: 'alice' },
    { principal: '' },
    { host: '' },
    { resourceType: RESOURCE_TYPES.CLUSTER, operation: OPERATIONS.ALTER },
  ])
    assert.notEqual(bindingDefect({ ...good, ...change }), undefined, JSON.stringify(change));
  const any = {
    resourceType: 1,
    patternType: 1,
    resourceName: null,
    principal: null,
    host: null,
    operation: 1,
    permissionType: 1,
  };
  assert.equal(filterDefect(any), undefined);
  for (const change of [{ resourceType: 0 }, { patternType: 0 }, { operation: 0 }, { permissionType: 9 }])
    assert.notEqual(filterDefect({ ...any, ...change }), undefined);
});

const KEYS: readonly AccessKey[] = [
  {
    id: 'writer',
    secret: 'se#cret',
    rights: [
      { actions: ['log:GetProject'], resources: ['acs:log:*:*:project/shop'] },
      {
        actions: ['log:GetLogStore', 'log:ListShards', 'log:PostLogStoreLogs'],
        resources: ['project/shop/logstore/app-*'],
      },
    ],
  },
  { id: 'reader', secret: 'r', rights: [{ actions: ['log:Get*', 'log:List*'], resources: ['project/*/logstore/*'] }] },
  { id: 'owner', secret: 'o', rights: [{ actions: ['log:*'], resources: ['*'] }] },
];

test('access keys have the rights of their actions on their Logstores, and no others', async t => {
  const { log } = await openMemoryLog();
  t.after(() => log.close());
  const made = new Authorizer(log, { ...ON, isOn: false }, bindingsOf(KEYS, ['shop', 'web']));
  const may = (key: string, project: string, operation: Operation, type: ResourceType, name: string): boolean =>
    made.allows({ identity: accessKeyIdentity(key, project), host: 'h', operation, type, name });
  assert.deepEqual(
    [
      may('writer', 'shop', 'WRITE', 'TOPIC', 'app-1'),
      may('writer', 'shop', 'DESCRIBE', 'TOPIC', 'app-1'),
      may('writer', 'shop', 'DESCRIBE', 'CLUSTER', 'kafka-cluster'),
      may('reader', 'web', 'READ', 'TOPIC', 'anything'),
      may('reader', 'web', 'READ', 'GROUP', 'g'),
      may('owner', 'web', 'CREATE', 'TOPIC', 'new'),
      made.allowsAny(accessKeyIdentity('writer', 'shop'), 'h', 'WRITE', 'TOPIC'),
    ],
    Array.from({ length: 7 }, () => true),
  );
  assert.deepEqual(
    [
      may('writer', 'shop', 'WRITE', 'TOPIC', 'web'),
      may('writer', 'web', 'WRITE', 'TOPIC', 'app-1'),
      may('writer', 'shop', 'READ', 'TOPIC', 'app-1'),
      may('writer', 'shop', 'READ', 'GROUP', 'g'),
      may('reader', 'web', 'WRITE', 'TOPIC', 'x'),
      may('owner', 'nowhere', 'READ', 'TOPIC', 'x'),
      made.allowsAny(accessKeyIdentity('reader', 'shop'), 'h', 'WRITE', 'TOPIC'),
    ],
    Array.from({ length: 7 }, () => false),
  );
});

for (const right of [
  { actions: ['log:Nothing'], resources: ['*'] },
  { actions: ['oss:Get'], resources: ['*'] },
  { actions: ['log:*'], resources: ['shop'] },
  { actions: ['log:*'], resources: ['project/a*b/logstore/*'] },
])
  test(`the right ${JSON.stringify(right)} is refused`, () => {
    assert.throws(() => bindingsOf([{ id: 'k', secret: 's', rights: [right] }], ['shop']), MillraceError);
  });

test('a wrong secret and an unknown key are told the same; a secret is never told', () => {
  const { verifyPassword } = accessKeyAuthority(KEYS);
  const right = verifyPassword('shop', 'writer#se#cret');
  assert.deepEqual(right.kind === 'proved' && right.identity, accessKeyIdentity('writer', 'shop'));
  const [wrong, unknown, formless] = ['writer#hush', 'stranger#hush', 'hush'].map(password =>
    verifyPassword('shop', password),
  );
  assert.ok(wrong?.kind === 'refused' && unknown?.kind === 'refused' && formless?.kind === 'refused');
  assert.equal(wrong.message, unknown.message.replace('stranger', 'writer'));
  assert.match(wrong.message, /project shop: access key writer /);
  assert.match(formless.message, /<access key id>#<access key secret>/);
  assert.match(unknown.error.message, /access key stra… for project shop/);
  for (const { error, message } of [wrong, unknown, formless])
    assert.doesNotMatch(`${message} ${error.message}`, /hush/);
});
