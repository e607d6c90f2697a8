#!/usr/bin/env node
/** The command line. `version` answers without loading anything; every other command loads its own module when called. */
import { VERSION } from '../app/version.ts';

const [first, ...rest] = process.argv.slice(2);

if (first === 'version' || first === '--version' || first === '-V') {
  const isJson = rest.includes('json') || rest.includes('--output=json');
  process.stdout.write(
    isJson ? `${JSON.stringify({ version: VERSION, node: process.version })}\n` : `millrace ${VERSION}\n`,
  );
} else {
  const { runCli } = await import('./program.ts');
  await runCli(process.argv);
}
