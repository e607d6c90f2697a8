/**
 * A diagnostic: an error or warning about a user's text (settings, TQL, SQL) or about an event at run time.
 * Collected and printed, never thrown past a front end. Printed in the form of `lang/print-diagnostic.ts`.
 */
export type Severity = 'error' | 'warning';

/** Positions are UTF-16 offsets into the file's text; lines and columns are derived when printed (both from 1). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Label {
  readonly span: Span;
  readonly text: string;
}

export interface Diagnostic {
  /** Stable code, `MR####`. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly file?: string;
  readonly span?: Span;
  /** Other places in the same file, underlined with `-`. */
  readonly secondary?: readonly Label[];
  readonly notes?: readonly string[];
  readonly hints?: readonly string[];
}
