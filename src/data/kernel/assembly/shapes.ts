/**
 * Shapes: documents of a stream differ in their values and hardly in what stands between them. A shape is what stands
 * between the values of one document that the walk has accepted: the caller cuts it into steps (`kernel/shapes.ts`), a
 * tree of them for all shapes that begin alike. A document that goes along a path of the tree needs its values checked
 * and nothing else: no keys are looked up, no grammar is walked, and the address of the next value depends on nothing
 * but the end of the one before.
 *
 *   step    up to 32 bytes that must stand here, then a value of the step's kind, then the next step or one of its others
 *
 * Invariants
 * H1 a document that matches is well-formed: it has the text of a well-formed one but for its values, and each of these
 *    is a value of the same kind, string or scalar, checked as the walk checks it.
 * H2 its columns hold what the walk would have put there. So does the row of a document that parts from the shapes, up to
 *    where it does, and the walk puts the same there again.
 * H3 a step or a value begins at or before the document's end, so at most 64 bytes beyond it are read (K2).
 */
import { hasBackslash } from './keys';
import { Call, Query, Step, StepKind, Tag } from './layout';
import { numberEnd, putNumber } from './numbers';
import { Constants, stringEnd } from './strings';
import { hasOnlyBlanks, literalEnd, literalTag } from './tokens';

/** Does the text of the step stand at `p`? */
// @ts-ignore: decorator
@inline
function stands(query: usize, step: usize, p: usize): bool {
  const ones = query + Query.CONSTANTS + Constants.ONES + 32 - <usize>load<u32>(step, Step.LENGTH);
  const first = v128.and(v128.xor(v128.load(p), v128.load(step, Step.TEXT)), v128.load(ones));
  const second = v128.and(v128.xor(v128.load(p, 16), v128.load(step, Step.TEXT + 16)), v128.load(ones, 16));
  return !v128.any_true(v128.or(first, second));
}

/** The spans of records and lists that a path asks for, where the step's text opens or closes them. */
function openAndClose(call: usize, marks: usize, p: usize, row: usize): void {
  for (let count = load<u32>(marks); count; count--) {
    const slot = <usize>load<u32>(marks, 4) + row;
    const at = p + <usize>load<u32>(marks, 8);
    const tag = load<u32>(marks, 12);
    if (tag) {
      Call.openSpan(call, slot, at);
      Call.putTag(call, slot, tag);
    } else Call.closeSpan(call, Call.spanAt(call, slot), at + 1);
    marks += 12;
  }
}

/** Behind the value of the step's kind that begins at `start`, at most at the document's end; 0 when there is none. */
// @ts-ignore: decorator
@inline
function takeValue(query: usize, step: usize, row: usize, start: usize, end: usize): usize {
  const call = query + Query.CALL;
  const constants = query + Query.CONSTANTS;
  const kind = load<u32>(step, Step.KIND);
  const column = load<i32>(step, Step.COLUMN);
  if (kind == StepKind.STRING) {
    let behind = start;
    let stop: usize;
    for (;;) {
      const bytes = v128.load(behind);
      const quotes = i8x16.eq(bytes, v128.load(constants, Constants.QUOTE));
      const others = v128.or(
        i8x16.gt_s(v128.load(constants, Constants.BLANK), bytes),
        i8x16.eq(bytes, v128.load(constants, Constants.BACKSLASH)),
      );
      stop = <usize>ctz(i8x16.bitmask(v128.or(quotes, others)) | 0x10000);
      if (stop < 16) break;
      behind += 16;
      if (behind >= end) return 0;
    }
    let tag = Tag.STRING;
    if (load<u8>(behind + stop) == 0x22) {
      behind += stop;
    } else {
      behind = stringEnd(behind, end, constants);
      if (!behind) return 0;
      if (column >= 0 && hasBackslash(start, behind)) tag = Tag.ESCAPED;
    }
    if (column >= 0) {
      const slot = <usize>column + row;
      Call.putSpan(call, slot, start, behind - start);
      Call.putTag(call, slot, tag);
    }
    return behind;
  }
  if (kind == StepKind.SCALAR) {
    const first = <u32>load<u8>(start);
    const isNumber = first == 0x2d || first - 0x30 < 10;
    const behind = isNumber ? numberEnd(start, first, end, constants) : literalEnd(start);
    if (behind && column >= 0) {
      const slot = <usize>column + row;
      if (isNumber) putNumber(call, slot, start, behind, constants);
      else {
        Call.putSpan(call, slot, start, behind - start);
        Call.putTag(call, slot, literalTag(first));
      }
    }
    return behind;
  }
  return kind == StepKind.NONE || hasOnlyBlanks(start, end) ? start : 0;
}

/** Does the document go on along the steps from `p`? Then its row is filled. */
function matchesFrom(query: usize, step: usize, row: usize, p: usize, end: usize): bool {
  while (step) {
    if (stands(query, step, p)) {
      const marks = <usize>load<u32>(step, Step.MARKS);
      if (marks) openAndClose(query + Query.CALL, marks, p, row);
      const start = p + <usize>load<u32>(step, Step.LENGTH);
      if (start > end) return false;
      const behind = takeValue(query, step, row, start, end);
      if (behind) {
        if (behind > end) return false;
        if (load<u32>(step, Step.KIND) == StepKind.END) return true;
        p = behind;
        step = <usize>load<u32>(step, Step.NEXT);
        continue;
      }
    }
    step = <usize>load<u32>(step, Step.OTHER);
  }
  return false;
}

/** Does the document at [p, end) go along the query's steps? */
export function matchesShape(query: usize, row: usize, p: usize, end: usize): bool {
  return matchesFrom(query, <usize>load<u32>(query, Query.SHAPES), row, p, end);
}

/**
 * Two documents abreast, as long as both take the same steps: where the next value begins depends on the end of the one
 * before, and while one waits for that, the other goes on. Bit 0 for the first, bit 1 for the second, of the next row.
 */
export function matchShapes(query: usize, row: usize, p: usize, pEnd: usize, q: usize, qEnd: usize): u32 {
  const call = query + Query.CALL;
  let step = <usize>load<u32>(query, Query.SHAPES);
  while (step) {
    if (!stands(query, step, p) || !stands(query, step, q)) break;
    const marks = <usize>load<u32>(step, Step.MARKS);
    if (marks) {
      openAndClose(call, marks, p, row);
      openAndClose(call, marks, q, row + 1);
    }
    const length = <usize>load<u32>(step, Step.LENGTH);
    if (p + length > pEnd || q + length > qEnd) break;
    const behind = takeValue(query, step, row, p + length, pEnd);
    const other = takeValue(query, step, row + 1, q + length, qEnd);
    if (!behind || !other || behind > pEnd || other > qEnd) break;
    if (load<u32>(step, Step.KIND) == StepKind.END) return 3;
    p = behind;
    q = other;
    step = <usize>load<u32>(step, Step.NEXT);
  }
  const first = <u32>matchesFrom(query, step, row, p, pEnd);
  return first | (<u32>matchesFrom(query, step, row + 1, q, qEnd) << 1);
}
