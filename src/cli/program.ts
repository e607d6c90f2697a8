/** All commands, their flags and help. Modules behind them load when they are called. */
import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../app/version.ts';
import { reportError } from './output.ts';

export async function runCli(argv: readonly string[]): Promise<void> {
  const program = new Command('millrace')
    .description('Moves events into, through and out of Kafka.')
    .version(VERSION, '-V, --version')
    .showSuggestionAfterError(true)
    .exitOverride();
  const run = (load: () => Promise<void>): Promise<void> =>
    load().catch((error: unknown) => {
      process.exitCode = reportError(error);
    });

  program
    .command('up')
    .description('run the embedded log, the Kafka listener and the configured pipelines')
    .option('-c, --config <file>', 'configuration file', 'millrace.yaml')
    .option('--data <dir>', 'data directory')
    .option('--kafka <host:port>', 'address of the Kafka listener')
    .option('--http <host:port>', 'address for health and metrics')
    .option('--demo', 'run the demo on generated events')
    .option('--fresh', 'with --demo: begin with an empty log')
    .action(options => run(async () => (await import('./commands/up.ts')).up(options)));

  program
    .command('run')
    .argument('<pipeline>', 'TQL text, or a file that ends in .tql')
    .description('run a pipeline here; open ends are standard input and output')
    .action(pipeline => run(async () => (await import('./commands/run.ts')).run(pipeline)));

  program
    .command('check')
    .argument('<paths...>', 'TQL files and configurations; - is standard input')
    .description('check TQL files and configurations without running them')
    .option('--parse-only', 'stop behind the parser')
    .addOption(new Option('--format <format>', 'form of the diagnostics').choices(['text', 'json']).default('text'))
    .action((paths, options) => run(async () => (await import('./commands/check.ts')).check(paths, options)));

  program
    .command('tap')
    .argument('<stage>', 'PIPELINE or PIPELINE/STAGE, the stage by its number or operator')
    .description('show live events behind a stage of a running pipeline')
    .option('--data <dir>', 'data directory of the running process', '.millrace/demo')
    .option('--where <predicate>', 'TQL predicate')
    .option('-n, --count <n>', 'end after that many events')
    .action((stage, options) => run(async () => (await import('./commands/tap.ts')).tap(stage, options)));

  const brokers = (command: Command): Command =>
    command.option('-b, --brokers <host:port>', 'Kafka brokers', '127.0.0.1:9092');
  const topics = program.command('topics').description('topics of a cluster');
  const client = async () => import('./commands/kafka.ts');
  brokers(topics.command('list')).action(options => run(async () => (await client()).listTopics(options)));
  brokers(topics.command('create').argument('<topic>'))
    .option('-p, --partitions <n>', 'partitions', '1')
    .option('--config <key=value...>', 'topic configs')
    .action((topic, options) => run(async () => (await client()).createTopic(topic, options)));
  brokers(topics.command('describe').argument('<topic>')).action((topic, options) =>
    run(async () => (await client()).describeTopic(topic, options)),
  );
  brokers(topics.command('delete').argument('<topic>'))
    .option('--yes', 'do not ask')
    .action((topic, options) => run(async () => (await client()).deleteTopic(topic, options)));
  brokers(program.command('produce').argument('<topic>').description('one record for each line of standard input'))
    .option('-k, --key-separator <text>', 'text between key and value')
    .action((topic, options) => run(async () => (await client()).produce(topic, options)));
  brokers(program.command('consume').argument('<topic>').description('values of a topic on standard output'))
    .option('--from <where>', 'beginning, end or an offset', 'beginning')
    .option('-n, --count <n>', 'end after that many records')
    .option('-e, --exit', 'end at the end of the topic')
    .action((topic, options) => run(async () => (await client()).consume(topic, options)));
  const groups = program.command('groups').description('consumer groups');
  brokers(groups.command('list')).action(options => run(async () => (await client()).listGroups(options)));
  brokers(groups.command('describe').argument('<group>')).action((group, options) =>
    run(async () => (await client()).describeGroup(group, options)),
  );
  brokers(groups.command('delete').argument('<group>'))
    .option('--yes', 'do not ask')
    .action((group, options) => run(async () => (await client()).deleteGroup(group, options)));

  const log = program.command('log').description('tools for the stored log');
  log
    .command('check')
    .argument('<dir>', 'data directory')
    .description('read every frame and batch; report damage with file and position')
    .action(directory => run(async () => (await import('./commands/log-check.ts')).logCheck(directory)));

  program
    .command('schema')
    .description('JSON Schema of millrace.yaml')
    .action(() => run(async () => (await import('./commands/check.ts')).schema()));
  program.command('version').description('print the version');

  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}
