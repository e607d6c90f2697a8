/** What handlers share: errors of the parts below as codes that an API's clients know, and authorised operations. */
import { MillraceError, messageOf, systemCode } from '../base/index.ts';
import { errorCode, type ErrorName, errorName } from '../wire/index.ts';
import type { RequestContext } from './handler.ts';

/**
 * The error as one of the codes that the API's clients know; anything else is -1 and a defect, so it is logged. What is
 * neither an operational error nor one of the system is a bug, and thrown on.
 */
export function nameOf(context: RequestContext, error: unknown, known: readonly ErrorName[]): ErrorName {
  const isStorage = systemCode(error) !== undefined;
  if (!isStorage && !(error instanceof MillraceError)) throw error;
  const name = error instanceof MillraceError ? errorName(error.row.kafka ?? -1) : 'KAFKA_STORAGE_ERROR';
  const { logger } = context;
  if (isStorage || !known.includes(name))
    logger.error(messageOf(error), error instanceof MillraceError ? { code: error.code, help: error.help } : {});
  return known.includes(name) ? name : 'UNKNOWN_SERVER_ERROR';
}

/** Without access control everybody may do everything: the bits of all operations that a kind of resource knows. */
const OPERATION = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

type Operation = keyof typeof OPERATION;

const bits = (...operations: readonly Operation[]): number =>
  operations.reduce((sum, operation) => sum | (1 << OPERATION[operation]), 0);

const ALLOWED = {
  cluster: bits('create', 'alter', 'describe', 'clusterAction', 'describeConfigs', 'alterConfigs', 'idempotentWrite'),
  topic: bits('read', 'write', 'create', 'delete', 'alter', 'describe', 'describeConfigs', 'alterConfigs'),
  group: bits('read', 'delete', 'describe'),
} as const;

/** "Nobody asked", as Kafka writes it. */
const NOT_ASKED = -0x8000_0000;

export function authorizedOperations(kind: keyof typeof ALLOWED, isAsked: boolean): number {
  return isAsked ? ALLOWED[kind] : NOT_ASKED;
}

export function failure<E extends ErrorName>(
  error: E,
  errorMessage: string,
): { readonly errorCode: number; readonly errorMessage: string } {
  return { errorCode: errorCode(error), errorMessage };
}
