/** All operators. */
import type { OperatorDefinition } from '../../sdk/index.ts';
import { fromKafka, loadKafka } from '../connectors/kafka/operators.ts';
import { saveKafka, toKafka } from '../connectors/kafka/sink.ts';
import { toSplunk } from '../connectors/splunk-hec/index.ts';
import { fromStdin, saveStdout, toStdout } from '../connectors/standard-streams/index.ts';
import { readJson, readNdjson, writeJson, writeNdjson, writeTql } from '../formats/json.ts';
import { readLines, writeLines } from '../formats/lines.ts';
import batch from './batch.ts';
import discard from './discard.ts';
import drop from './drop.ts';
import fork from './fork.ts';
import from from './from.ts';
import head from './head.ts';
import loadBalance from './load-balance.ts';
import move from './move.ts';
import pass from './pass.ts';
import select from './select.ts';
import set from './set.ts';
import summarize from './summarize.ts';
import where from './where.ts';

export const operators: readonly OperatorDefinition[] = [
  batch,
  discard,
  drop,
  fork,
  from,
  fromKafka,
  fromStdin,
  head,
  loadBalance,
  loadKafka,
  move,
  pass,
  readJson,
  readLines,
  readNdjson,
  saveKafka,
  saveStdout,
  select,
  set,
  summarize,
  toKafka,
  toSplunk,
  toStdout,
  where,
  writeJson,
  writeLines,
  writeNdjson,
  writeTql,
];
