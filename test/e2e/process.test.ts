/** `millrace up` as a process: start, health, commands beside it, signals, kill -9, and everything that keeps it from starting. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { HecReceiver } from '../../src/app/demo/index.ts';
import { directoryOf, millrace, type Running, root, start, until } from './command.ts';
import { prometheusDefects } from './prometheus.ts';

const LOCAL = ['--kafka', '127.0.0.1:0', '--http', '127.0.0.1:0'];

interface Ready {
  readonly kafka: string;
  readonly http: string;
  readonly pipelines: readonly string[];
}

async function readyOf(process: Running): Promise<Ready> {
  const [line] = await process.until(/^\{.*"msg":"ready".*\}$/m);
  return JSON.parse(line) as Ready;
}

async function get(http: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(`http://${http}${path}`);
  return { status: answer.status, text: await answer.text() };
}

test('a process is found by the commands beside it, tells its health, and ends clean after SIGTERM', async t => {
  const cwd = directoryOf(t, {
    'millrace.yaml':
      'data: data\npipelines:\n  - { id: high, tql: \'load_kafka "in" | read_json | where x > 1 | to_kafka "out"\' }\n',
  });
  const process = start(t, ['up', ...LOCAL], { cwd });
  const { http, kafka, pipelines } = await readyOf(process);
  assert.deepEqual(pipelines, ['high']);
  assert.deepEqual(await get(http, '/livez'), { status: 200, text: 'ok\n' });
  await until(async () => (await get(http, '/readyz')).status === 200, 'readiness');
  const { text } = await get(http, '/readyz?verbose');
  assert.equal(
    text,
    `[+] process: ready\n[+] listener: default, PLAINTEXT, on ${kafka}\n[+] pipeline high: running\nready\n`,
  );
  assert.equal((await get(http, '/nowhere')).status, 404);
  assert.equal((await fetch(`http://${http}/livez`, { method: 'POST' })).status, 405);

  const produced = await millrace(t, ['produce', 'in'], { cwd, input: '{"x": 1}\n{"x": 2}\n{"x": 3}\n' });
  assert.deepEqual([produced.code, produced.stderr], [0, '3 records acknowledged\n']);
  const consumed = await millrace(t, ['consume', 'out', '-n', '2'], { cwd });
  assert.deepEqual([consumed.code, consumed.stdout], [0, '{"x": 2}\n{"x": 3}\n']);
  const listed = await millrace(t, ['topics', 'list', '-o', 'ndjson'], { cwd });
  assert.equal(listed.stdout, '{"topic":"in","partitions":1}\n{"topic":"out","partitions":1}\n');
  const described = await millrace(t, ['topics', 'describe', 'out', '-o', 'json'], { cwd });
  assert.deepEqual((JSON.parse(described.stdout) as { partitions: unknown }).partitions, [
    { partition: 0, start: 0, end: 2, records: 2 },
  ]);
  const metrics = async (): Promise<string> => (await get(http, '/metrics')).text;
  assert.deepEqual(prometheusDefects(await metrics()), []);
  const received =
    /^millrace_component_received_events_total\{component_id="high\/3",component_kind="stage",component_type="where"\} 3$/m;
  // A worker tells its counts some time after it has delivered.
  await until(async () => received.test(await metrics()), 'the counts');

  process.child.kill('SIGTERM');
  assert.equal(await process.ended, 0);
  const lines = process
    .stderr()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { level: string; time: string; msg: string });
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['ready', 'draining', 'drained'],
  );
  for (const { level, time } of lines) assert.ok(level === 'info' && !Number.isNaN(Date.parse(time)));
});

test('topics and groups are made, listed, described and deleted, here as at any cluster', async t => {
  const cwd = directoryOf(t);
  const process = start(t, ['up', '--data', '.millrace/data', ...LOCAL], { cwd });
  const { kafka } = await readyOf(process);
  const run = async (...args: string[]): Promise<unknown[]> => {
    const { code, stderr, stdout } = await millrace(t, args, { cwd });
    return [code, stdout, stderr];
  };
  assert.deepEqual(await run('topics', 'create', 'orders', '-p', '2', '--topic-config', 'retention.ms=1000'), [
    0,
    '',
    'created orders\n',
  ]);
  assert.deepEqual(await run('topics', 'list'), [0, 'TOPIC   PARTITIONS\norders           2\n', '']);
  const [code, , stderr] = await run('topics', 'create', 'orders', '-b', kafka);
  assert.equal(code, 1);
  assert.match(String(stderr), /^error\[MR4205\]: .*TOPIC_ALREADY_EXISTS/);
  assert.match(String((await run('topics', 'describe', 'orders'))[1]), /^retention\.ms +1000$/m);
  const altered = await run(
    'topics',
    'alter',
    'orders',
    '--topic-config',
    'retention.bytes=7',
    '--reset',
    'retention.ms',
  );
  assert.deepEqual(altered, [0, '', 'altered orders\n']);
  assert.match(
    String((await run('topics', 'describe', 'orders'))[1]),
    /^retention\.ms +604800000\nretention\.bytes +7$/m,
  );
  assert.match(String((await run('topics', 'alter', 'orders', '--topic-config', 'x=1'))[2]), /unknown topic config x/);
  assert.equal((await run('topics', 'delete-records', 'orders'))[0], 2, 'it asks to be sure');
  const [deleted, rows] = await run('topics', 'delete-records', 'orders', '--yes', '-o', 'ndjson');
  assert.deepEqual([deleted, rows], [0, '{"partition":0,"start":0}\n{"partition":1,"start":0}\n']);
  assert.match(
    String((await run('topics', 'delete-records', 'orders', '--before', '9', '--yes'))[2]),
    /OFFSET_OUT_OF_RANGE/,
  );
  assert.equal((await run('topics', 'describe', 'nothing'))[0], 4);
  assert.equal((await run('consume', 'nothing'))[0], 4);
  assert.deepEqual(await run('groups', 'list'), [0, 'GROUP  STATE  TYPE  PROTOCOL\n', '']);
  assert.equal((await run('groups', 'describe', 'nobody'))[0], 4);
  assert.equal((await run('groups', 'delete', 'nobody', '--yes'))[0], 4);
  assert.deepEqual(await run('topics', 'delete', 'orders', '--yes'), [0, '', 'deleted orders\n']);
  assert.deepEqual(await run('topics', 'list', '-o', 'json'), [0, '[]\n', '']);
  process.child.kill('SIGINT');
  assert.equal(await process.ended, 0);
});

/** A process whose pipeline cannot deliver: its collector never answers. */
async function stuck(t: TestContext, viaLauncher = false): Promise<Running> {
  const receiver = await HecReceiver.start({ token: 't', acknowledges: false });
  t.after(() => receiver.close());
  receiver.fault = 'hang';
  const cwd = directoryOf(t, {
    'millrace.yaml': `drain_timeout: 20s
pipelines:
  - { id: stuck, tql: 'load_kafka "in" | read_json | to_splunk "${receiver.url}", hec_token="t", buffer_timeout=1ms' }
`,
  });
  const process = start(t, ['up', '-c', `${cwd}/millrace.yaml`, '--data', `${cwd}/data`, ...LOCAL], { viaLauncher });
  const { kafka } = await readyOf(process);
  await millrace(t, ['produce', 'in', '-b', kafka], { input: '{"x": 1}\n' });
  await until(() => receiver.requests > 0, 'the event at the collector');
  return process;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`a drain that waits names what is pending, and a second ${signal} forces the end with ${code}`, async t => {
    const process = await stuck(t);
    process.child.kill(signal);
    const [line] = await process.until(/^\{.*"seconds_left":.*\}$/m);
    const { pending, seconds_left: left } = JSON.parse(line) as { pending: string[]; seconds_left: number };
    assert.deepEqual(pending, ['stuck holds 1 events']);
    assert.ok(left > 0 && left < 20);
    process.child.kill(signal);
    assert.equal(await process.ended, code);
  });
}

test('one Ctrl-C reaches the process from the terminal and from its launcher, and counts once', async t => {
  const process = await stuck(t, true);
  globalThis.process.kill(-process.child.pid!, 'SIGINT');
  await process.until(/"seconds_left":/);
  globalThis.process.kill(-process.child.pid!, 'SIGINT');
  assert.equal(await process.ended, 130);
});

test('a drain that runs out of time ends with 1, and what was not delivered is read again', async t => {
  const receiver = await HecReceiver.start({ token: 't', acknowledges: false });
  t.after(() => receiver.close());
  receiver.fault = 'hang';
  const cwd = directoryOf(t, {
    'millrace.yaml': `drain_timeout: 200ms
data: data
pipelines:
  - { id: stuck, tql: 'load_kafka "in" | read_json | to_splunk "${receiver.url}", hec_token="t", buffer_timeout=1ms' }
`,
  });
  let process = start(t, ['up', ...LOCAL], { cwd });
  await readyOf(process);
  await millrace(t, ['produce', 'in'], { cwd, input: '{"x": 1}\n' });
  await until(() => receiver.requests > 0, 'the event at the collector');
  process.child.kill('SIGTERM');
  assert.equal(await process.ended, 1);
  assert.match(process.stderr(), /stopped before everything was delivered/);
  receiver.fault = 'none';
  process = start(t, ['up', ...LOCAL], { cwd, environment: { MILLRACE__DRAIN_TIMEOUT: '20s' } });
  await readyOf(process);
  await until(() => receiver.events === 1, 'delivery after the restart');
  process.child.kill('SIGTERM');
  assert.equal(await process.ended, 0);
  assert.match(process.stderr(), /1 delivered \+ 0 filtered \+ 0 dead \+ 0 held \+ 1 reread {2}✓/);
});

test('a data directory serves one process, also when several find the socket of one that was killed', async t => {
  const cwd = directoryOf(t);
  const up = (): Running => start(t, ['up', '--data', 'data', ...LOCAL], { cwd });
  const first = up();
  await readyOf(first);
  const second = up();
  assert.equal(await second.ended, 1);
  assert.match(second.stderr(), /^error\[MR1001\]: the data directory data is in use by another process$/m);
  first.child.kill('SIGKILL');
  assert.equal(await first.ended, 'SIGKILL');
  const all = [up(), up(), up()];
  const outcomes = await Promise.all(
    all.map(process =>
      Promise.race([
        process.ended,
        readyOf(process).then(
          () => 'ready',
          () => process.ended,
        ),
      ]),
    ),
  );
  assert.deepEqual(outcomes.toSorted(), [1, 1, 'ready']);
});

test('a taken port keeps the process from starting: it says so and ends', async t => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => taken.once('listening', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const cwd = directoryOf(t);
  const failed = start(t, ['up', '--data', 'data', '--kafka', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'], { cwd });
  const code = await failed.ended;
  const stderr = failed.stderr();
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `error[MR1002]: cannot listen on 127.0.0.1:${port} for Kafka: the port is taken
help: Choose another port with --kafka, or stop what listens there.
see: millrace explain MR1002
`,
  );
  const again = start(t, ['up', '--data', 'data', ...LOCAL], { cwd });
  await readyOf(again);
  again.child.kill('SIGTERM');
  assert.equal(await again.ended, 0, 'the failed start has given the directory back');
});

test('Ctrl-C ends a pipeline whose standard input is idle, and what it has is delivered', async t => {
  const text = 'read_ndjson | fork { write_ndjson | save_stdout } | summarize n=count() | write_ndjson | save_stdout';
  const running = start(t, ['run', text]);
  running.child.stdin!.write('{"x": 1}\n');
  await until(() => running.stdout() !== '', 'the event behind an open input');
  running.child.kill('SIGINT');
  assert.equal(await running.ended, 0);
  assert.equal(running.stdout(), '{"x": 1}\n{"n":1}\n');
});

test('a reader that goes away ends a command quietly', async t => {
  const cwd = directoryOf(t);
  const running = start(t, ['run', 'from {x: 1} | write_ndjson | save_stdout'], { cwd });
  running.child.stdout!.destroy();
  running.child.stdin!.end();
  assert.equal(await running.ended, 0);
  assert.equal(running.stderr(), '');
});

test('the version and help load nothing but the command line', async t => {
  const { version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string };
  const hook = `import { registerHooks } from 'node:module';
registerHooks({ load: (url, context, next) => { process.stderr.write(url + '\\n'); return next(url, context); } });`;
  const environment = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` };
  for (const args of [['version'], ['--help']]) {
    const running = start(t, args, { environment });
    await running.ended;
    const [stdout, stderr] = [running.stdout(), running.stderr()];
    if (args[0] === 'version') assert.equal(stdout, `millrace ${version}\n`);
    const loaded = stderr
      .trim()
      .split('\n')
      .filter(url => url.startsWith('file:'))
      .map(url => url.replace(/^.*?\/(src|node_modules)\//, ''));
    const foreign = loaded.filter(path => !/^(cli|commander|base)\/|^app\/version\.ts$/.test(path));
    assert.deepEqual(foreign, []);
    assert.ok(loaded.length < 90, `${loaded.length} modules`);
  }
});
