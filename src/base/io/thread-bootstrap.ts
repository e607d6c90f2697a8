/** First module of every thread: builds the thread's own I/O and calls `main` of the module it was started for. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../errors.ts';
import { nodeIo } from './node.ts';
import type { ThreadMain } from './types.ts';

assert(parentPort !== null, 'the bootstrap runs in a thread only');
const port = parentPort;
const { module, data } = workerData as { readonly module: string; readonly data: unknown };
const { main } = (await import(module)) as { readonly main: ThreadMain };
await main(
  nodeIo(),
  {
    post: (message, transfer = []) => port.postMessage(message, transfer as ArrayBuffer[]),
    onMessage: handler => {
      port.on('message', handler);
    },
  },
  data,
);
