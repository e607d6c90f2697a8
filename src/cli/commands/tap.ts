/** `millrace tap`: live events of a running process, over its control socket. The last line tells how much was shown. */
import { controlPath } from '../../app/index.ts';
import { connectLocal } from '../../base/io/local-server.ts';
import { note } from '../output.ts';

export async function tap(
  target: string,
  options: { readonly data: string; readonly where?: string; readonly count?: string },
): Promise<void> {
  const [pipeline, ...stage] = target.split('/');
  const connection = await connectLocal(controlPath(options.data)).catch(() => {
    throw new Error(
      `no process answers in ${options.data}; is \`millrace up\` running with this data directory (--data)?`,
    );
  });
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  let shown = 0;
  let seen = 0;
  const done = new Promise<void>(resolve => {
    const finish = (): void => {
      connection.close();
      resolve();
    };
    connection.onLine(line => {
      const report = JSON.parse(line) as { error?: string; samples?: string[]; seen?: number; isUnfiltered?: boolean };
      if (report.error !== undefined) {
        note(`error: ${report.error}`);
        process.exitCode = 4;
        finish();
        return;
      }
      seen = report.seen ?? seen;
      if (report.isUnfiltered) {
        note('error: bytes pass there, not events: --where needs a stage behind a reader');
        process.exitCode = 1;
        finish();
        return;
      }
      for (const sample of report.samples ?? []) {
        if (shown >= count) break;
        process.stdout.write(sample.endsWith('\n') ? sample : `${sample}\n`);
        shown++;
      }
      if (shown >= count) finish();
    });
    connection.onClose(finish);
    process.on('SIGINT', finish);
  });
  const where = options.where === undefined ? {} : { where: options.where };
  const named = stage.length === 0 ? {} : { stage: stage.join('/') };
  connection.send(JSON.stringify({ command: 'tap', pipeline, ...named, ...where }));
  await done;
  note(`shown ${shown} of ${seen}`);
}
