/**
 * The states of a transactional id, what moves it from one to the next, and what it answers in each: total tables.
 *
 *   empty ─added─► ongoing ─commit─► committing ─ended─► committed ─┐
 *     ▲               ▲ ▲────failed──────┘ │                        │ added
 *     │ initialised   │ └────failed─── aborting ─ended─► aborted ───┤
 *     └───────────────┼─────────────────────────────────────────────┘
 *                     └── from committed, aborted and empty
 *
 * committing and aborting are never stored: markers, offsets and the new state are one frame of the journal, so after a
 * crash the transaction is either ongoing or over.
 */
import { assert } from '../../base/index.ts';

export type TransactionState = 'empty' | 'ongoing' | 'committing' | 'aborting' | 'committed' | 'aborted' | 'dead';

export type TransactionEvent =
  /** A partition or a group became part of it. */
  | 'added'
  | 'commit'
  | 'abort'
  /** The frame that ends it is durable. */
  | 'ended'
  /** That frame could not be written. */
  | 'failed'
  /** A producer begins with the id. */
  | 'initialised'
  /** The id was not used for long. */
  | 'expired';

export type TransactionError =
  | 'NONE'
  | 'CONCURRENT_TRANSACTIONS'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'INVALID_PRODUCER_EPOCH'
  | 'INVALID_PRODUCER_ID_MAPPING'
  | 'INVALID_REQUEST'
  | 'INVALID_TRANSACTION_TIMEOUT'
  | 'INVALID_TXN_STATE'
  | 'PRODUCER_FENCED';

type Never = 'never';

const OVER: Readonly<Record<TransactionEvent, TransactionState | Never>> = {
  added: 'ongoing',
  commit: 'never',
  abort: 'never',
  ended: 'never',
  failed: 'never',
  initialised: 'empty',
  expired: 'dead',
};
const NOTHING: Readonly<Record<TransactionEvent, Never>> = {
  added: 'never',
  commit: 'never',
  abort: 'never',
  ended: 'never',
  failed: 'never',
  initialised: 'never',
  expired: 'never',
};

const NEXT: Readonly<Record<TransactionState, Readonly<Record<TransactionEvent, TransactionState | Never>>>> = {
  empty: OVER,
  ongoing: { ...NOTHING, added: 'ongoing', commit: 'committing', abort: 'aborting' },
  committing: { ...NOTHING, ended: 'committed', failed: 'ongoing' },
  aborting: { ...NOTHING, ended: 'aborted', failed: 'ongoing' },
  committed: OVER,
  aborted: OVER,
  dead: NOTHING,
};

/** To the end of a transaction: it is done, it was done, or it is refused. */
export type EndAnswer = 'end' | 'repeated' | TransactionError;

/** What requests of the producer in its current epoch are answered in each state. */
export const ANSWERS: Readonly<
  Record<TransactionState, { readonly add: TransactionError; readonly commit: EndAnswer; readonly abort: EndAnswer }>
> = {
  empty: { add: 'NONE', commit: 'INVALID_TXN_STATE', abort: 'INVALID_TXN_STATE' },
  ongoing: { add: 'NONE', commit: 'end', abort: 'end' },
  committing: { add: 'CONCURRENT_TRANSACTIONS', commit: 'CONCURRENT_TRANSACTIONS', abort: 'INVALID_TXN_STATE' },
  aborting: { add: 'CONCURRENT_TRANSACTIONS', commit: 'INVALID_TXN_STATE', abort: 'CONCURRENT_TRANSACTIONS' },
  // Nothing was added since: a delayed repetition, which must not hit the next transaction.
  committed: { add: 'NONE', commit: 'repeated', abort: 'INVALID_TXN_STATE' },
  aborted: { add: 'NONE', commit: 'INVALID_TXN_STATE', abort: 'repeated' },
  dead: {
    add: 'INVALID_PRODUCER_ID_MAPPING',
    commit: 'INVALID_PRODUCER_ID_MAPPING',
    abort: 'INVALID_PRODUCER_ID_MAPPING',
  },
};

/** As Kafka's tools name them. */
export const KAFKA_NAMES: Readonly<Record<TransactionState, string>> = {
  empty: 'Empty',
  ongoing: 'Ongoing',
  committing: 'PrepareCommit',
  aborting: 'PrepareAbort',
  committed: 'CompleteCommit',
  aborted: 'CompleteAbort',
  dead: 'Dead',
};

export function nextState(state: TransactionState, event: TransactionEvent): TransactionState {
  const next = NEXT[state][event];
  assert(next !== 'never', `a transaction that is ${state} was ${event}`);
  return next;
}
