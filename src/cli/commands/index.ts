/** The commands, in the order of help. */
import type { CommandDefinition } from '../command.ts';
import acls from './acls.ts';
import check from './check.ts';
import consume from './consume.ts';
import explain from './explain.ts';
import groups from './groups.ts';
import log from './log.ts';
import produce from './produce.ts';
import run from './run.ts';
import schema from './schema.ts';
import tap from './tap.ts';
import topics from './topics.ts';
import up from './up.ts';
import users from './users.ts';
import version from './version.ts';

export const commands: readonly CommandDefinition[] = [
  up,
  run,
  check,
  tap,
  topics,
  produce,
  consume,
  groups,
  users,
  acls,
  log,
  schema,
  explain,
  version,
];
