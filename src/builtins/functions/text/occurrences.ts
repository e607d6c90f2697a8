/** Where a text occurs in another, for `split` and `replace`: the first ones, the last ones, or without regard to case. */

export interface Search {
  readonly ignoresCase: boolean;
  /** The most occurrences; undefined for all of them. */
  readonly max: number | undefined;
  /** Counts `max` from the end. */
  readonly isReversed: boolean;
}

/** Offsets of start and end, ascending, without overlaps; none for the empty text. */
export function occurrences(text: string, what: string, { ignoresCase, isReversed, max }: Search): [number, number][] {
  const found: [number, number][] = [];
  if (what === '') return found;
  if (ignoresCase) {
    for (const match of text.matchAll(new RegExp(escaped(what), 'giu')))
      found.push([match.index, match.index + match[0].length]);
  } else if (isReversed) {
    // From the end, so that of overlapping ones the last counts.
    for (
      let at = text.lastIndexOf(what);
      at >= 0;
      at = at < what.length ? -1 : text.lastIndexOf(what, at - what.length)
    )
      found.unshift([at, at + what.length]);
  } else {
    for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + what.length))
      found.push([at, at + what.length]);
  }
  if (max === undefined || found.length <= max) return found;
  return isReversed ? found.slice(found.length - max) : found.slice(0, max);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Of an argument `max`; null when it is negative. */
export function limitOf(max: unknown): number | null | undefined {
  if (max === undefined) return undefined;
  return (max as bigint) < 0n ? null : Number(max);
}
