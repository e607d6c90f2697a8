#!/usr/bin/env node
/** The command line. Every command loads what it needs when it is called. */
import { runCli } from './program.ts';

// A reader that goes away (`| head`) ends the command quietly; a log reader that goes away ends nothing.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit();
  throw error;
});
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2));
