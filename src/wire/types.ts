/** Types that generated codecs share. */

/** Record data: one view, or pieces that follow each other. */
export type Records = Uint8Array | readonly Uint8Array[];

/** "No topic id". */
export const ZERO_UUID = '00000000000000000000000000000000';

/** Shared empty array of defaults; never written to. */
export const NONE: readonly never[] = [];
