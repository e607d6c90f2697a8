/**
 * Operational errors: one class, made only by the rows of `defineErrors`. Codes of what is told but not thrown are rows, too
 * (`defineNotices`).
 *
 * A row states everything that any border needs: the stable code `MR####` (first digit: 1 configuration and command
 * line, 2 TQL, 3 SQL, 4 protocol and client, 5 broker and log, 6 engine, 7 connectors and formats, 8 intake,
 * 9 API), the text, whether a retry can help, the Kafka code and exit code that stand for it, and the remedy.
 *
 * Invariants
 * I1 a code is defined once in the process (checked when the row is made).
 * I2 a text's `{name}` places are filled from `details`; a place without a value stays visible as `{name}`.
 */

export type Retry = 'no' | 'backoff' | 'reconnect' | 'refresh-metadata';

export interface ErrorRow {
  readonly code: `MR${number}`;
  /** Text with `{name}` places that are filled from the details. */
  readonly text: string;
  readonly retry?: Retry;
  /** Kafka protocol error code that stands for it on the wire. */
  readonly kafka?: number;
  /** Process exit code, see `spec` of the command line: 1 failed, 2 usage, 4 not found, 5 no connection, 78 config. */
  readonly exit?: number;
  /** What to do next, one sentence. */
  readonly help: string;
}

export type Details = Readonly<Record<string, unknown>>;

export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: string;
  readonly retry: Retry;
  readonly details: Details;
  readonly row: ErrorRow;

  constructor(row: ErrorRow, details: Details = {}, cause?: unknown) {
    super(fill(row.text, details), cause === undefined ? undefined : { cause });
    this.row = row;
    this.code = row.code;
    this.retry = row.retry ?? 'no';
    this.details = details;
  }

  get help(): string {
    return fill(this.row.help, this.details);
  }
}

/** The same error, its texts changed: secrets taken out of them, say. */
export function rewordedError(error: unknown, reword: (text: string) => string): Error {
  if (!(error instanceof MillraceError))
    return new Error(reword(error instanceof Error ? error.message : String(error)));
  const details = Object.entries(error.details).map(([name, value]) => [
    name,
    typeof value === 'string' ? reword(value) : value,
  ]);
  return new MillraceError(error.row, Object.fromEntries(details) as Details);
}

export type ErrorFactory = ((details?: Details, cause?: unknown) => MillraceError) & { readonly row: ErrorRow };

const defined = new Map<string, ErrorRow>();

/** Declares a folder's operational errors; each key becomes a factory that makes the error of its row. */
export function defineErrors<const T extends Record<string, ErrorRow>>(
  rows: T,
): { readonly [K in keyof T]: ErrorFactory } {
  const factories: Record<string, ErrorFactory> = {};
  for (const [name, row] of Object.entries(rows)) {
    assert(!defined.has(row.code), `I1: error code ${row.code} is defined twice`);
    defined.set(row.code, row);
    factories[name] = Object.assign((details?: Details, cause?: unknown) => new MillraceError(row, details, cause), {
      row,
    });
  }
  return factories as { readonly [K in keyof T]: ErrorFactory };
}

/** What is told of a user's text or of an event, as a diagnostic or in a dead letter; nothing is thrown for it. */
export type NoticeRow = Pick<ErrorRow, 'code' | 'text' | 'help'>;

/** Declares a folder's codes of what it tells; whoever tells has the message, the row says what the code means. */
export function defineNotices<const T extends Record<string, NoticeRow>>(
  rows: T,
): { readonly [K in keyof T]: T[K]['code'] } {
  for (const row of Object.values(rows)) {
    assert(!defined.has(row.code), `I1: code ${row.code} is defined twice`);
    defined.set(row.code, row);
  }
  const codes = Object.entries(rows).map(([name, { code }]) => [name, code]);
  return Object.fromEntries(codes) as { readonly [K in keyof T]: T[K]['code'] };
}

/** Every row defined so far, for `millrace explain` and the generated reference. */
export function definedCodes(): readonly ErrorRow[] {
  return [...defined.values()].sort((a, b) => a.code.localeCompare(b.code));
}

/** The exit code of a command that ends with this error, where its row has one. */
export function exitCodeOf(code: string | undefined): number | undefined {
  return code === undefined ? undefined : defined.get(code)?.exit;
}

function fill(text: string, details: Details): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => (name in details ? String(details[name]) : place));
}

/** A broken invariant is a bug: the message names it (`I3: …`), the task ends, its supervisor decides. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** System error code such as `ENOSPC`, when the value is an error that carries one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
