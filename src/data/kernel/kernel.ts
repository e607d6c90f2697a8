/** The compiled kernel: one module a thread, an instance for each memory. */
import { assert } from '../../base/index.ts';
import { JSON_WASM } from './generated/json-wasm.ts';

/** What `assembly/json.ts` exports; addresses and lengths are bytes of the memory. */
export interface Kernel {
  scan(spans: number, count: number, query: number, status: number, scratch: number): number;
  compareInts(
    tags: number,
    values: number,
    count: number,
    operation: number,
    isWhole: number,
    whole: bigint,
    float: number,
    other: number,
    none: number,
    verdicts: number,
  ): void;
  compareText(
    tags: number,
    spans: number,
    count: number,
    operation: number,
    text: number,
    length: number,
    shift: number,
    verdicts: number,
  ): void;
}

/** Stack of containers and room for a key; the quote index follows. */
export const SCRATCH_HEAD_BYTES = 8192 + 1024;
/** What the last step of the quote index may write beyond the quotes it found, and the zeros behind them. */
export const INDEX_SLACK_BYTES = 512;
/** How far beyond a document the kernel may read. */
export const READ_BEYOND_BYTES = 64;

let compiled: WebAssembly.Module | undefined;

export function instantiateKernel(memory: WebAssembly.Memory): Kernel {
  compiled ??= new WebAssembly.Module(Buffer.from(JSON_WASM, 'base64'));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  assert(typeof exports['scan'] === 'function', 'the kernel exports scan');
  return exports as unknown as Kernel;
}
