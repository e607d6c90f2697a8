/**
 * Our message definitions against Kafka's, field by field: names, order as encoded, types, versions, nullability, tags,
 * defaults, flexible versions, key numbers. Every version of ours is compared with every jar that has it: 4.2.0, and 3.9.1
 * and 2.8.2 for what 4.0 removed. What differs on purpose stands in `ON_PURPOSE`, and must differ.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  isInside,
  isJudge,
  JARS,
  type JarName,
  type KafkaMessage,
  kafkaMessages,
  kafkaRows,
  ourRows,
  type Row,
} from './wire/kafka-schema.ts';
import { type Body, bodies } from './wire/our-definitions.ts';

/** `jar message path: property` → reason. */
const ON_PURPOSE: Readonly<Record<string, string>> = {
  'clients-2.8.2 ApiVersionsResponse zkMigrationReady: presence': 'a tagged field that came with 3.4',
  'clients-2.8.2 FetchRequest replicaId: default': 'KIP-903 gave it one; the field is always on the wire here',
  'clients-2.8.2 DeleteTopicsRequest topics[].name: default': 'came later; the field is always on the wire here',
};

/** Versions of ours that no jar has, `message version` → reason. */
const UNKNOWN_TO_KAFKA: Readonly<Record<string, string>> = {
  'DescribeLogDirsRequest 5': 'came after 4.2',
  'DescribeLogDirsResponse 5': 'came after 4.2',
};

const messages = new Map(JARS.map(jar => [jar, kafkaMessages(jar)]));
const used = new Set<string>();

/** Differences in one version, each as `path: property, ours …, theirs …`. */
function differences(ours: readonly Row[], theirs: readonly Row[]): string[] {
  const found: string[] = [];
  const add = (path: string, property: string, our: unknown, their: unknown): void => {
    found.push(`${path}: ${property}, ours ${our}, theirs ${their}`);
  };
  const byPath = new Map(theirs.map(row => [row.path, row]));
  for (const row of ours) {
    const other = byPath.get(row.path);
    if (other === undefined) add(row.path, 'presence', 'there', 'missing');
    else
      for (const property of ['type', 'isNullable', 'tag', 'default'] as const)
        if (row[property] !== other[property]) add(row.path, property, row[property], other[property]);
  }
  const ourPaths = ours.map(row => row.path);
  for (const { path } of theirs) if (!ourPaths.includes(path)) add(path, 'presence', 'missing', 'there');
  const theirPaths = theirs.map(row => row.path);
  if (found.length === 0 && ourPaths.join() !== theirPaths.join()) add('*', 'order', ourPaths, theirPaths);
  return found;
}

function compare(jar: JarName, body: Body, message: KafkaMessage, version: number): string[] {
  const found = differences(ourRows(body.fields, version), kafkaRows(jar, message, version));
  const isFlexible = isInside(message.flexibleVersions, version);
  if (isFlexible !== version >= body.flexibleSince)
    found.push(`*: flexible, ours ${!isFlexible}, theirs ${isFlexible}`);
  return found;
}

for (const jar of JARS) {
  test(`definitions agree with ${jar}`, async t => {
    for (const body of bodies) {
      const message = messages.get(jar)!.get(body.name);
      const [first, last] = body.versions;
      const versions = Array.from({ length: last - first + 1 }, (_, i) => first + i).filter(version =>
        isJudge(jar, messages.get(jar)!, body.name, version),
      );
      if (message === undefined || versions.length === 0) continue;
      await t.test(`${body.name} in versions ${versions[0]} to ${versions.at(-1)}`, () => {
        const found = new Map<string, number[]>();
        for (const version of versions)
          for (const text of compare(jar, body, message, version)) {
            const key = `${jar} ${body.name} ${text.split(',')[0]}`;
            if (key in ON_PURPOSE) used.add(key);
            else found.set(text, [...(found.get(text) ?? []), version]);
          }
        assert.deepEqual(
          [...found].map(([text, at]) => `${text}, in ${at.join(' ')}`),
          [],
        );
        if (body.kind !== 'embedded') assert.equal(message.apiKey, body.apiKey);
      });
    }
  });
}

test('every version of ours is known to some jar', () => {
  const unknown = bodies.flatMap(({ name, versions: [first, last] }) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)
      .filter(version => !JARS.some(jar => isJudge(jar, messages.get(jar)!, name, version)))
      .map(version => `${name} ${version}`),
  );
  assert.deepEqual(unknown, Object.keys(UNKNOWN_TO_KAFKA));
});

test('headers of Kafka are those that `wire/frame.ts` states', () => {
  for (const jar of JARS) {
    const request = messages.get(jar)!.get('RequestHeader')!;
    const response = messages.get(jar)!.get('ResponseHeader')!;
    const words = (message: KafkaMessage, version: number): string[] =>
      kafkaRows(jar, message, version).map(({ path, type, isNullable }) => `${path} ${type}${isNullable ? '?' : ''}`);
    const common = ['requestApiKey int16', 'requestApiVersion int16', 'correlationId int32'];
    for (const version of [1, 2]) assert.deepEqual(words(request, version), [...common, 'clientId string?'], jar);
    assert.equal(request.fields.find(field => field.name === 'ClientId')!.flexibleVersions, 'none');
    for (const version of [0, 1]) assert.deepEqual(words(response, version), ['correlationId int32'], jar);
    assert.deepEqual([request.flexibleVersions, response.flexibleVersions], ['2+', '1+'], jar);
  }
});

test('a changed definition would be found', () => {
  const theirs = kafkaRows('kafka-4.2.0', messages.get('kafka-4.2.0')!.get('FetchRequest')!, 12);
  assert.deepEqual(differences(theirs, theirs), []);
  theirs.forEach((row, i) => {
    assert.equal(differences(theirs.toSpliced(i, 1), theirs).length, 1);
    for (const change of [{ type: 'int16x' }, { isNullable: !row.isNullable }, { tag: 9 }, { default: 'x' }])
      assert.equal(differences(theirs.with(i, { ...row, ...change }), theirs).length, 1);
  });
  assert.equal(differences(theirs.toReversed(), theirs).length, 1);
});

after(() => {
  assert.deepEqual([...used].sort(), Object.keys(ON_PURPOSE).sort(), 'rows of ON_PURPOSE that no longer differ');
});
