/**
 * Stopping by signal: the first asks, the second forces.
 *
 * One Ctrl-C may arrive several times: the terminal sends SIGINT to every process of its group, and npm and `tools/run.mjs`
 * pass on to their children what they got. What comes within BURST_MS of the first is therefore the same key.
 */
import { EXIT } from './exit-codes.ts';

const BURST_MS = 250;

/** Calls `stop` once; a later signal ends the process at once with 130 or 143. */
export function onStopSignal(stop: () => void): void {
  let firstMs: number | undefined;
  const signalled = (forcedCode: number) => (): void => {
    const now = performance.now();
    if (firstMs === undefined) {
      firstMs = now;
      stop();
    } else if (now - firstMs > BURST_MS) process.exit(forcedCode);
  };
  process.on('SIGINT', signalled(EXIT.interrupted));
  process.on('SIGTERM', signalled(EXIT.terminated));
}
