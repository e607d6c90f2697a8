/**
 * Directives: comments in the lines before the first statement.
 *
 *   // parallelism: N | max | disabled [, limit_partitions=K] [, fused=…]
 *   //neo:false, // neo                     accepted, without effect
 *
 * A pipeline runs in one thread and keeps its order, which is one of the orders that parallelism allows: asking for more
 * is a warning.
 */
import type { Diagnostic, Span } from '../../base/index.ts';
import { diagnose } from './errors.ts';

const LEADING = /[ \t\r]*(?:\/\/([^\n]*))?(?:\n|$)/y;
const PARALLELISM = /^\s*parallelism\s*:\s*(.*?)\s*$/;
const DEGREE = /^(?:max|disabled|[1-9]\d{0,5})$/;
const OPTION = /^(?:limit_partitions=[1-9]\d{0,5}|fused=\w+)$/;

/** Reads the comments from `start` on up to the first line that is something else. */
export function readDirectives(text: string, start: number): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (let at = start; at < text.length; ) {
    LEADING.lastIndex = at;
    const line = LEADING.exec(text);
    if (!line) break;
    const found = PARALLELISM.exec(line[1] ?? '');
    if (found) diagnostics.push(...parallelism(found[1]!, spanOf(line[0], at)));
    at += line[0].length;
  }
  return diagnostics;
}

function spanOf(line: string, at: number): Span {
  return { start: at + line.indexOf('/'), end: at + line.trimEnd().length };
}

function parallelism(value: string, span: Span): readonly Diagnostic[] {
  const [degree = '', ...options] = value.split(',').map(part => part.trim());
  if (!DEGREE.test(degree) || !options.every(option => OPTION.test(option))) {
    const problem = 'expected a number, `max` or `disabled`, then `limit_partitions=` or `fused=`';
    return [diagnose('directive', span, { directive: 'parallelism', problem })];
  }
  if (degree === 'disabled' || degree === '1') return [];
  const problem = 'this version runs a pipeline in one thread and keeps its order';
  return [{ ...diagnose('directive', span, { directive: 'parallelism', problem }), severity: 'warning' }];
}
