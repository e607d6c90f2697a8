/** The demo as a process: it runs without a terminal, moves away from taken ports, and goes on where it was. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { directoryOf, millrace, type Running, start, until } from './command.ts';

async function takenPort(t: TestContext): Promise<number> {
  const server = net.createServer(socket => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  t.after(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

/** Value of the first sample that begins so. */
async function metric(http: string, sample: string): Promise<number> {
  const text = await (await fetch(`${http}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(sample))
      ?.split(' ')
      .at(-1) ?? Number.NaN,
  );
}

const READ = 'millrace_component_received_events_total{component_id="high-severity/3"';

interface Sum {
  readonly received: number;
  readonly line: string;
}

function sumOf(process: Running, pipeline: string): Sum {
  const [line = '', received = ''] =
    new RegExp(`^ {2}${pipeline} {2}([\\d,]+) = .*$`, 'm').exec(process.stderr()) ?? [];
  assert.match(line, / \+ 0 held.* ✓$/, process.stderr());
  return { line, received: Number(received.replaceAll(',', '')) };
}

test('the demo feeds, filters, balances and saves; its ledger adds up and goes on after a drain and after kill -9', async t => {
  const cwd = directoryOf(t);
  const port = await takenPort(t);
  const run = async (least: number): Promise<{ process: Running; http: string; kafka: string }> => {
    const process = start(
      t,
      ['up', '--demo', '--data', 'demo', '--kafka', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'],
      { cwd },
    );
    const [, http = ''] = await process.until(/(http:\/\/\S+)\/readyz/);
    const [, kafka = ''] = await process.until(/log +(127\.0\.0\.1:\d+)/);
    await until(async () => (await metric(http, READ)) > least, `more than ${least} events`);
    return { process, http, kafka };
  };
  const interrupt = async (process: Running): Promise<void> => {
    process.child.kill('SIGINT');
    assert.equal(await process.ended, 0, process.stderr());
  };

  const first = await run(1_000);
  assert.match(first.process.stderr(), new RegExp(`127\\.0\\.0\\.1:${port} is taken: Kafka gets a free port instead`));
  assert.notEqual(first.kafka, `127.0.0.1:${port}`);
  assert.ok(
    first.process.stderr().includes(`kcat -b ${first.kafka} -t ocsf-events -P`),
    'what to try names the port that it got',
  );
  assert.ok(!first.process.stderr().includes('\x1b'), 'no escape sequence without a terminal');
  const { stdout } = await millrace(t, ['topics', 'describe', 'ocsf-events', '-b', first.kafka, '-o', 'json']);
  const { configs } = JSON.parse(stdout) as { configs: Record<string, string> };
  assert.ok(Number(configs['retention.bytes']) < 2 ** 30, 'the topic is kept below 1 GiB');
  await interrupt(first.process);
  const before = sumOf(first.process, 'high-severity');
  assert.ok(sumOf(first.process, 'sign-ins').received > 0);
  assert.ok(!before.line.includes('reread'));

  const second = await run(before.received + 1_000);
  second.process.child.kill('SIGKILL');
  await second.process.ended;

  const third = await run(before.received + 2_000);
  await interrupt(third.process);
  const after = sumOf(third.process, 'high-severity');
  assert.ok(after.received > before.received + 2_000);
});
