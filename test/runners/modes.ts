/**
 * The engine modes that the corpus runs in; the first gives the expected texts. Modes of a topic are for
 * the programs that read a document a line (`col-*`).
 */
import type { EngineMode } from '../../src/testing/index.ts';

export const MODES: Readonly<Record<string, EngineMode>> = {
  'batches of 65,536': { rowsMax: 65_536 },
  'batches of 7': { rowsMax: 7 },
  'batches of 1': { rowsMax: 1 },
  interpreted: { rowsMax: 65_536, isInterpreted: true },
  'interpreted, batches of 1': { rowsMax: 1, isInterpreted: true },
  'killed behind every event': { restartEvery: 1 },
  'killed behind every third event': { restartEvery: 3 },
  'records of a topic': { rowsMax: 65_536, isTopic: true },
  'records of a topic in batches of 2': { rowsMax: 2, isTopic: true },
  'records of a topic, interpreted': { rowsMax: 65_536, isTopic: true, isInterpreted: true },
  'records of a topic, killed behind every second': { restartEvery: 2, isTopic: true },
};
