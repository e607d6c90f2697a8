/** Who connects to a listener with SASL and says nothing is ended in time, named; who has proved itself is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimBroker } from '../testing/index.ts';
import { apis } from '../wire/index.ts';

const ADDRESS = { host: '127.0.0.1', port: 9094 };

test('a client that does not say who it is is ended after half a minute', async () => {
  const sim = await SimBroker.start();
  const address = await sim.broker.listen({ address: ADDRESS, protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const [silent, slow, anonymous] = [
    await sim.client('a', address),
    await sim.client('b', address),
    await sim.client('c'),
  ];
  await sim.finish(slow.ask(apis.saslHandshake, 1, { mechanism: 'PLAIN' }));
  await sim.pass(29_000);
  assert.deepEqual([silent.isEnded, slow.isEnded], [false, false]);
  await sim.pass(2_000);
  assert.deepEqual([silent.isEnded, slow.isEnded, anonymous.isEnded], [true, true, false]);
  const codes = sim.broker.refusals().map(({ code }) => code);
  assert.deepEqual([...new Set(codes)], ['MR5434']);
});

test('a failure is answered a tenth of a second late', async () => {
  const sim = await SimBroker.start();
  const address = await sim.broker.listen({ address: ADDRESS, protocol: 'SASL_PLAINTEXT', mechanisms: ['PLAIN'] });
  const client = await sim.client('a', address);
  await sim.finish(client.ask(apis.saslHandshake, 1, { mechanism: 'PLAIN' }));
  const before = sim.world.time;
  const answer = await sim.finish(client.ask(apis.saslAuthenticate, 1, { authBytes: Buffer.from('\0a\0b') }));
  assert.equal(answer.errorCode, 58);
  assert.ok(sim.world.time - before >= 100);
  await sim.finish(client.ended);
});
