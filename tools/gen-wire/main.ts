/** `npm run gen`: writes `src/wire/generated`, one file an API, and the registry of all APIs. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedFiles } from './files.ts';

const target = join(import.meta.dirname, '../../src/wire/generated');
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const files = await generatedFiles();
for (const [name, text] of files) writeFileSync(join(target, name), text);
process.stdout.write(`wrote ${files.size} files\n`);
