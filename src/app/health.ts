/**
 * Health: what is ready and what is not, as text for people and probes.
 *
 *   /livez            200 while the process answers
 *   /readyz           200 when everything is ready, 503 with the reasons otherwise; `?verbose` names every check
 */
import type { PipelineReport } from './pipelines.ts';

export type Phase = 'starting' | 'ready' | 'draining';

export interface Check {
  readonly name: string;
  readonly isReady: boolean;
  readonly text: string;
}

/** A pipeline that works with some of its endpoints is ready: others carry what a stuck one cannot. */
export function readinessChecks(
  phase: Phase,
  listeners: readonly string[],
  pipelines: readonly PipelineReport[],
): Check[] {
  const whole: Check = { name: 'process', isReady: phase === 'ready', text: phase };
  const open = listeners.map((text): Check => ({ name: 'listener', isReady: true, text }));
  return [whole, ...open, ...pipelines.map(checkOf)];
}

function checkOf(report: PipelineReport): Check {
  const down = report.health.filter(({ isUp }) => !isUp);
  const reasons = down.map(({ endpoint, reason }) => `${endpoint} is down: ${reason ?? 'no answer'}`);
  const next = report.nextTryMs === undefined ? [] : [`next try in ${(report.nextTryMs / 1_000).toFixed(1)} s`];
  const why = report.reason === undefined ? [] : [report.reason];
  const isReady = report.state !== 'failed' && report.state !== 'starting';
  return {
    name: `pipeline ${report.pipelineId}`,
    isReady,
    text: [report.state, ...why, ...next, ...reasons].join('; '),
  };
}

export function readinessText(
  checks: readonly Check[],
  isVerbose: boolean,
): { readonly isReady: boolean; readonly text: string } {
  const isReady = checks.every(check => check.isReady);
  if (isReady && !isVerbose) return { isReady, text: 'ok\n' };
  const shown = isVerbose ? checks : checks.filter(check => !check.isReady);
  const lines = shown.map(check => `[${check.isReady ? '+' : '-'}] ${check.name}: ${check.text}\n`);
  return { isReady, text: `${lines.join('')}${isVerbose ? `${isReady ? 'ready' : 'not ready'}\n` : ''}` };
}
