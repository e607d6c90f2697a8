/** `millrace tap`: live events of a running process, over its control socket. The last line tells how much was shown. */
import { dataFlag, defineCommand, wholeNumber } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { data, note, palette } from '../output.ts';
import { onStopSignal } from '../signals.ts';

interface Options {
  readonly data?: string;
  readonly where?: string;
  readonly count?: number;
}

/** As the process sends it, a tenth of a second apart. */
interface Report {
  readonly error?: string;
  readonly code?: string;
  readonly exit?: number;
  readonly samples?: readonly string[];
  readonly seen?: number;
  readonly dropped?: number;
  readonly isUnfiltered?: boolean;
}

export default defineCommand<Options>({
  name: 'tap',
  summary: 'show live events behind a stage of a running pipeline',
  description: 'A tap never slows the pipeline: when it is not read fast enough it drops samples, and says how many.',
  arguments: [['<stage>', 'PIPELINE or PIPELINE/STAGE, the stage by its number or operator; without one, the last']],
  flags: [
    dataFlag,
    { flags: '--where <predicate>', text: 'TQL predicate, evaluated where the events are' },
    { flags: '-n, --count <n>', text: 'end after that many events', parse: wholeNumber(0) },
  ],
  examples: [
    'millrace tap high-severity/where -n 5',
    "millrace tap high-severity/read_json --where 'severity_id == 5'",
  ],
  run: async ([target]: readonly [string], options) => {
    const [pipeline, ...stage] = target.split('/');
    const [{ nodeIo }, { connectToProcess }] = await Promise.all([
      import('../../base/io/node.ts'),
      import('../running.ts'),
    ]);
    const connection = await connectToProcess(nodeIo().files, options.data);
    const limit = options.count ?? Number.POSITIVE_INFINITY;
    let shown = 0;
    let latest: Report = {};
    let failure: Error | undefined;
    await new Promise<void>(resolve => {
      const finish = (): void => {
        connection.close();
        resolve();
      };
      connection.onLine(line => {
        latest = JSON.parse(line) as Report;
        if (latest.error !== undefined) {
          note(`${palette.error(latest.code === undefined ? 'error' : `error[${latest.code}]`)}: ${latest.error}`);
          process.exitCode = latest.exit ?? EXIT.failed;
          finish();
          return;
        }
        if (latest.isUnfiltered) failure = cliErrors.bytesUnfiltered({ stage: target });
        for (const sample of latest.samples ?? []) {
          if (shown >= limit) break;
          data(sample.endsWith('\n') ? sample : `${sample}\n`);
          shown++;
        }
        if (failure || shown >= limit) finish();
      });
      connection.onClose(finish);
      onStopSignal(finish);
      const named = stage.length === 0 ? {} : { stage: stage.join('/') };
      const where = options.where === undefined ? {} : { where: options.where };
      connection.send(JSON.stringify({ command: 'tap', pipeline, ...named, ...where }));
    });
    if (failure) throw failure;
    if (latest.error !== undefined) return;
    const dropped = (latest.dropped ?? 0) > 0 ? `, ${latest.dropped} not kept` : '';
    note(`shown ${shown} of ${latest.seen ?? 0}${dropped}`);
  },
});
