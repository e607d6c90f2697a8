/** All functions. */
import type { FunctionDefinition } from '../../sdk/index.ts';
import { conversions } from './conversion/conversions.ts';
import { integers } from './conversion/integers.ts';
import subnet from './conversion/subnet.ts';
import time from './conversion/time.ts';
import { jsonFunctions } from './json/json.ts';
import length from './list/length.ts';
import abs from './number/abs.ts';
import random from './number/random.ts';
import { wholeNumbers } from './number/whole.ts';
import secret from './runtime/secret.ts';
import endsWith from './text/ends-with.ts';
import join from './text/join.ts';
import lengthBytes from './text/length-bytes.ts';
import lengthChars from './text/length-chars.ts';
import replace from './text/replace.ts';
import split from './text/split.ts';
import startsWith from './text/starts-with.ts';
import toLower from './text/to-lower.ts';
import toUpper from './text/to-upper.ts';
import { trimFunctions } from './text/trim.ts';
import { spanFunctions } from './time/spans.ts';
import { timeFunctions } from './time/times.ts';

export const functions: readonly FunctionDefinition[] = [
  ...conversions,
  ...integers,
  ...jsonFunctions,
  ...spanFunctions,
  ...timeFunctions,
  ...trimFunctions,
  ...wholeNumbers,
  abs,
  endsWith,
  join,
  length,
  lengthBytes,
  lengthChars,
  random,
  replace,
  secret,
  split,
  startsWith,
  subnet,
  time,
  toLower,
  toUpper,
];
