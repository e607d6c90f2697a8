/**
 * Compiles the JSON kernel: AssemblyScript to `json.wasm`, and that into a module of text, so that every thread can make
 * the kernel without touching a file. Both are committed; a test builds them again and compares.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../src/data/kernel/', import.meta.url));
const COMPILER = fileURLToPath(new URL('../node_modules/assemblyscript/bin/asc.js', import.meta.url));
const LINE = 112;

export interface Kernel {
  readonly wasm: Uint8Array;
  readonly source: string;
}

export function buildKernel(): Kernel {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kernel-'));
  try {
    const out = join(folder, 'json.wasm');
    execFileSync(process.execPath, [COMPILER, '--config', 'asconfig.json', '--target', 'release', '--outFile', out], {
      cwd: FOLDER,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const wasm = readFileSync(out);
    return { wasm, source: sourceOf(wasm) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function committedKernel(): Kernel {
  return { wasm: readFileSync(join(FOLDER, 'json.wasm')), source: readFileSync(sourceFile(), 'utf8') };
}

function sourceFile(): string {
  return join(FOLDER, 'generated/json-wasm.ts');
}

function sourceOf(wasm: Buffer): string {
  const lines = wasm.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return [
    '/** The bytes of `json.wasm` in base64; written by `tools/build-kernel.ts`. */',
    'export const JSON_WASM = [',
    ...lines.map(line => `  '${line}',`),
    "].join('');",
    '',
  ].join('\n');
}

if (import.meta.main) {
  const { wasm, source } = buildKernel();
  writeFileSync(join(FOLDER, 'json.wasm'), wasm);
  writeFileSync(sourceFile(), source);
}
