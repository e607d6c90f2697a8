/** Expressions of users: whole texts, RE2's syntax, and no time beyond the text's length whatever is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholePattern } from './pattern.ts';

function matches(expression: string, text: string): boolean {
  const pattern = wholePattern(expression);
  assert.ok(!('defect' in pattern), JSON.stringify(pattern));
  return pattern(text);
}

test('whole texts match, alternatives included', () => {
  assert.equal(matches('^logs-.*', 'logs-eu'), true);
  assert.equal(matches('logs', 'logs-eu'), false);
  assert.equal(matches('^a|b', 'b'), true);
  assert.equal(matches('^a|b', 'ab'), false);
  assert.equal(matches('(?i)^TOPIC[0-9]{2}$', 'topic07'), true);
  assert.equal(matches('^\\p{L}+$', 'naïve'), true);
});

test('expressions over which others think for ever take no time', () => {
  // Sixty thousand characters: a matcher that goes back would need more steps than there are atoms.
  for (const expression of ['^(a+)+$', '^(a|aa)*$', '^(.*a){12}$']) matches(expression, `${'a'.repeat(60_000)}!`);
});

test('what is none, or has what is not linear, is told', () => {
  for (const expression of ['^(', '^[b-a]$', '^(a)\\1$', '^(?=a)', `^${'a'.repeat(1_000)}`]) {
    const pattern = wholePattern(expression);
    assert.ok('defect' in pattern && pattern.defect.length > 5, expression);
  }
});
