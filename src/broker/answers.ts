/** What handlers share: errors of the parts below as codes that an API's clients know, and authorised operations. */
import { MillraceError, messageOf, systemCode } from '../base/index.ts';
import { errorCode, type ErrorName, errorName } from '../wire/index.ts';
import type { RequestContext } from './handler.ts';
import type { ResourceType } from './security/acl.ts';

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

/** "Nobody asked", as Kafka writes it. */
const NOT_ASKED = -0x8000_0000;

/** What the client may do with a resource, as bits. */
export function authorizedOperations(
  { client, identity, security }: RequestContext,
  type: ResourceType,
  name: string,
  isAsked: boolean,
): number {
  return isAsked ? security.authorizer.operations(identity, client.host, type, name) : NOT_ASKED;
}

/** Each once, the first of those with the same key: what is asked for again and again is answered once. */
export function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const found = new Map<string, T>();
  for (const item of items) if (!found.has(keyOf(item))) found.set(keyOf(item), item);
  return [...found.values()];
}

export function failure<E extends ErrorName>(
  error: E,
  errorMessage: string,
): { readonly errorCode: number; readonly errorMessage: string } {
  return { errorCode: errorCode(error), errorMessage };
}
