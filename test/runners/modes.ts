/** The engine modes that the corpus runs in; the first gives the expected texts. */
import type { EngineMode } from '../../src/testing/index.ts';

export const MODES: Readonly<Record<string, EngineMode>> = {
  'batches of 65,536': { rowsMax: 65_536 },
  'batches of 7': { rowsMax: 7 },
  'batches of 1': { rowsMax: 1 },
  interpreted: { rowsMax: 65_536, isInterpreted: true },
  'interpreted, batches of 1': { rowsMax: 1, isInterpreted: true },
  'killed behind every event': { restartEvery: 1 },
  'killed behind every third event': { restartEvery: 3 },
};
