/** Bindings of `let` and `load_balance`, fixed before a pipeline runs; inner scopes hide outer ones. */
import type { Value } from '../data/index.ts';

export class Environment {
  private readonly parent: Environment | undefined;
  private readonly values = new Map<string, Value>();

  constructor(parent?: Environment) {
    this.parent = parent;
  }

  bind(name: string, value: Value): void {
    this.values.set(name, value);
  }

  /** Undefined when nothing of that name is bound. */
  get(name: string): Value | undefined {
    const value = this.values.get(name);
    return value === undefined ? this.parent?.get(name) : value;
  }
}
