/** What holds for every handler: its file, its header, its versions, and an answer in each of them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SimBroker } from '../testing/index.ts';
import { apis } from '../wire/index.ts';
import { handlers } from './handlers/index.ts';
import { REQUESTS } from './request-cases.ts';

const FOLDER = join(import.meta.dirname, 'handlers');
/** Unknown version, malformed, failed. */
const NOT_ANSWERED = new Set(['MR5407', 'MR5408', 'MR5409']);
const HEADER =
  /^\/\*\*\n \* (\w+)\.\n \*\n \* Versions: [\s\S]*\n \* Behaviour: [\s\S]*\n \* Not done: [\s\S]*\n \* Versions differ: [\s\S]*\*\//;

test('a handler’s file is named for the number of its API, and its header says what it does and does not', () => {
  const files = globSync('[0-9]*.ts', { cwd: FOLDER }).sort();
  const numbers = files.map(file => Number(file.slice(0, file.indexOf('-'))));
  assert.deepEqual(
    handlers.map(({ api }) => api.key),
    numbers,
    'the list names all of them, in order',
  );
  handlers.forEach(({ api, max, min }, i) => {
    const text = readFileSync(join(FOLDER, files[i]!), 'utf8');
    const name = HEADER.exec(text)?.[1];
    assert.equal(name, api.name, `${files[i]}: a header of four parts`);
    const versions = /^ \* Versions: (.*)$/m.exec(text)![1]!;
    const range = min === max ? `${min}.` : `${min} ${max - min === 1 ? 'and' : 'to'} ${max}.`;
    assert.ok(versions.startsWith(range), `${files[i]}: “${versions}” for ${range}`);
    assert.ok(min >= api.minVersion && max <= api.maxVersion, `${files[i]}: versions with a layout`);
  });
});

test('ApiVersions lists what the handlers answer, from version 0 on, and the features that are finished', async () => {
  const sim = await SimBroker.start();
  const client = await sim.client();
  for (const version of [0, 1, 2, 3, 4]) {
    const message = { clientSoftwareName: 'x', clientSoftwareVersion: '1' };
    const answer = await sim.finish(client.ask(apis.apiVersions, version, message));
    assert.deepEqual(
      answer.apiKeys.map(({ apiKey, maxVersion, minVersion }) => [apiKey, minVersion, maxVersion]),
      handlers.map(({ api, max }) => [api.key, 0, max]),
    );
    const levels = answer.finalizedFeatures.map(({ maxVersionLevel, name }) => [name, maxVersionLevel]);
    assert.deepEqual(
      [levels, answer.finalizedFeaturesEpoch],
      version < 3
        ? [[], -1]
        : [
            [
              ['group.version', 1],
              ['transaction.version', 2],
            ],
            0,
          ],
    );
    assert.ok(answer.supportedFeatures.every(({ maxVersion, minVersion }) => minVersion <= maxVersion));
  }
});

for (const { api, max, min } of handlers) {
  test(`${api.name} is answered in each of its versions, in that version’s layout`, async () => {
    const request = REQUESTS[api.name];
    assert.ok(request, `add ${api.name} to request-cases.ts`);
    const sim = await SimBroker.start();
    await sim.finish(sim.log.createTopic('', 't', 1));
    for (let version = min; version <= max; version++) {
      const client = await sim.client();
      const answer = await sim.finish(client.ask(api, version, request as never));
      assert.ok(answer, `version ${version}`);
    }
    const codes = sim.broker.refusals().map(({ code }) => code);
    assert.ok(!codes.some(code => NOT_ANSWERED.has(code)), codes.join());
  });
}
