/** Modules that the log starts as threads, by name, for who runs them in a thread of their own choice. */
import type { ThreadMain } from '../base/index.ts';
import { main as commitThread } from './commit-thread.ts';
import { main as scrubThread } from './scrub-thread.ts';

export const logThreads: Readonly<Record<string, ThreadMain>> = {
  'commit-thread': commitThread,
  'scrub-thread': scrubThread,
};
