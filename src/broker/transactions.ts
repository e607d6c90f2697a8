/** What handlers of transactions share. */
import type { TransactionError } from '../coordination/index.ts';

/** A fenced producer in the words of the client's version. */
export function fencedAs(error: TransactionError, isFencedKnown: boolean): TransactionError {
  return error === 'PRODUCER_FENCED' && !isFencedKnown ? 'INVALID_PRODUCER_EPOCH' : error;
}

/** What only an abort mends, for clients that know it so. */
export function abortableAs(
  error: TransactionError,
  isAbortableKnown: boolean,
): TransactionError | 'TRANSACTION_ABORTABLE' {
  return error === 'INVALID_TXN_STATE' && isAbortableKnown ? 'TRANSACTION_ABORTABLE' : error;
}
