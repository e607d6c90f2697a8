/** The assignors that the server has. The first is taken where members wish for none. */
import type { Assignor } from './assignor.ts';
import { range } from './range.ts';
import { uniform } from './uniform.ts';

export const ASSIGNORS: readonly Assignor[] = [uniform, range];

export function assignorNamed(name: string): Assignor | undefined {
  return ASSIGNORS.find(assignor => assignor.name === name);
}

/** The one that most members wish for; of equals the first of the list. */
export function preferredAssignor(wishes: Iterable<string | null>): Assignor {
  const votes = new Map<string, number>();
  for (const wish of wishes) if (wish !== null) votes.set(wish, (votes.get(wish) ?? 0) + 1);
  return ASSIGNORS.reduce((best, assignor) =>
    (votes.get(assignor.name) ?? 0) > (votes.get(best.name) ?? 0) ? assignor : best,
  );
}
