/** Stored bytes that turn out to be wrong: told once for each file and place, whoever meets them. */
import { MillraceError } from '../base/index.ts';

/** Places that are remembered. */
const PLACES_MAX = 1_000;

export class DamageReports {
  onDamage: (error: MillraceError) => void = () => undefined;
  private readonly told = new Set<string>();

  tell(error: MillraceError): void {
    const place = `${error.details['file']}:${error.details['position']}`;
    if (this.told.has(place)) return;
    if (this.told.size < PLACES_MAX) this.told.add(place);
    this.onDamage(error);
  }

  /** Tells what it throws. */
  telling<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof MillraceError) this.tell(error);
      throw error;
    }
  }

  /** Of background work, which goes on with the rest. */
  instead<T>(otherwise: T, run: () => T): T {
    try {
      return this.telling(run);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return otherwise;
    }
  }
}
