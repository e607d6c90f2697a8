/** Requests that were cut short or changed: each is answered or ends its connection, and the broker goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SeededRandom } from '../base/index.ts';
import { fuzzAsync, SimBroker } from '../testing/index.ts';
import { encodeRequest } from '../wire/index.ts';
import { handlers } from './handlers/index.ts';
import { REQUESTS } from './request-cases.ts';

/** Behind the size and the header up to the correlation id. */
const BODY = 12;

function damaged(random: SeededRandom, request: Buffer): Buffer {
  const bytes = Buffer.from(request);
  if (random.float() < 0.3) {
    const cut = Buffer.from(bytes.subarray(0, BODY + random.below(bytes.length - BODY)));
    cut.writeInt32BE(cut.length - 4);
    return cut;
  }
  for (let i = random.below(4); i >= 0; i--) {
    const at = BODY + random.below(bytes.length - BODY);
    bytes[at] = random.float() < 0.5 ? random.below(256) : [0, 1, 0x7f, 0x80, 0xff][random.below(5)]!;
  }
  return bytes;
}

test('a damaged request is answered or ends its connection; no handler fails', async () => {
  const sim = await SimBroker.start({ coordination: { groupsMax: 50 } });
  await sim.finish(sim.log.createTopic('', 't', 1));
  await fuzzAsync(1, async random => {
    const { api, max, min } = handlers[random.below(handlers.length)]!;
    const version = min + random.below(max - min + 1);
    const request = Buffer.concat(encodeRequest(api, version, 1, 'fuzz', REQUESTS[api.name] as never));
    const client = await sim.client();
    client.sendBytes(damaged(random, request));
    // Some bytes of this world are held up for 200 ms.
    await sim.pass(500);
    client.destroy();
    await sim.pass(500);
    const wrong = sim.broker.refusals().find(({ code }) => code === 'MR5409');
    assert.equal(wrong, undefined, `${api.name} ${version}: ${wrong?.reason}`);
    assert.equal(sim.broker.openConnections, 0);
  });
});
