/** Front door of `base`: bytes, arena, clock, randomness, the I/O seam, errors, diagnostics, logs, metrics. */
export { addressText, parseAddress } from './address.ts';
export {
  ARENA_DEFAULTS,
  Arena,
  type ArenaSettings,
  makeArenaMemory,
  privateRoom,
  type Room,
  type Slab,
} from './arena.ts';
export { cellsOf } from './cells.ts';
export type { Diagnostic, Label, Severity, Span } from './diagnostic.ts';
export {
  assert,
  type Details,
  defineErrors,
  definedCodes,
  defineNotices,
  exitCodeOf,
  type ErrorFactory,
  type ErrorRow,
  type NoticeRow,
  MillraceError,
  rewordedError,
  messageOf,
  type Retry,
  systemCode,
  unreachable,
} from './errors.ts';
export { FrameReceiver } from './frame-receiver.ts';
export { type Pattern, wholePattern } from './pattern.ts';
export { Calls, type Remote } from './io/calls.ts';
export { InlineThreads, portPair } from './io/inline.ts';
export type * from './io/types.ts';
export { jsonLogger, limitRepeats, type Logger, type LogLevel, silentLogger, textLogger } from './logger.ts';
export { SeededRandom } from './random.ts';
export { sameSecret } from './same-secret.ts';
export { nearest } from './suggest.ts';
export { systemReason } from './system-reason.ts';
export { TimeSlice } from './time-slice.ts';
