/**
 * SCRAM credentials of users: those of the configuration, made anew at each start, and those that administrators stored.
 *
 *   table `scram-credentials`   key [user, mechanism]   value: salt, iterations, stored key, server key (base64)
 *
 * Invariants
 * I1 a password is kept nowhere in the table, and cannot be had from it.
 * I2 what `alter` resolves for is durable.
 * I3 a user of the configuration has only the credentials of its password there.
 */
import { type Io, MillraceError } from '../../base/index.ts';
import type { Log, StateChange } from '../../log/index.ts';
import { saslErrors, scramCredential, scramCredentialFromSalted, type ScramCredential } from '../../sasl/index.ts';
import { securityErrors } from './errors.ts';

const TABLE = 'scram-credentials';

/** As they are numbered in the protocol. */
export const SCRAM_TYPES: readonly (readonly [type: number, mechanism: string])[] = [
  [1, 'SCRAM-SHA-256'],
  [2, 'SCRAM-SHA-512'],
];

export interface PasswordUser {
  readonly name: string;
  readonly password: string;
}

export interface ScramUpsertion {
  readonly user: string;
  readonly mechanism: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly saltedPassword: Uint8Array;
}

export interface ScramDeletion {
  readonly user: string;
  readonly mechanism: string;
}

interface Stored {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

export class ScramUsers {
  private readonly log: Log;
  private readonly declared = new Map<string, Map<string, ScramCredential>>();

  /** Only those that are stored; `open` adds the configuration's. */
  constructor(log: Log) {
    this.log = log;
  }

  static async open(io: Io, log: Log, users: readonly PasswordUser[]): Promise<ScramUsers> {
    const made = new ScramUsers(log);
    for (const { name, password } of users) {
      const credentials = new Map<string, ScramCredential>();
      for (const [, mechanism] of SCRAM_TYPES)
        credentials.set(mechanism, await scramCredential(mechanism, password, io.random));
      made.declared.set(name, credentials);
    }
    return made;
  }

  credential(user: string, mechanism: string): ScramCredential | undefined {
    const declared = this.declared.get(user);
    if (declared) return declared.get(mechanism);
    const stored = this.log.states.get(TABLE, keyOf(user, mechanism));
    return stored && parse(stored);
  }

  /** Mechanisms and iterations by user, in the order of names. */
  list(): Map<string, { readonly mechanism: string; readonly iterations: number }[]> {
    const found = new Map<string, { readonly mechanism: string; readonly iterations: number }[]>();
    const add = (user: string, mechanism: string, { iterations }: { readonly iterations: number }): void => {
      const credentials = found.get(user) ?? [];
      credentials.push({ mechanism, iterations });
      found.set(user, credentials);
    };
    for (const [user, credentials] of this.declared)
      for (const [mechanism, credential] of credentials) add(user, mechanism, credential);
    for (const [key, value] of this.log.states.entries(TABLE)) {
      const [user, mechanism] = JSON.parse(key) as [string, string];
      if (!this.declared.has(user)) add(user, mechanism, parse(value));
    }
    for (const credentials of found.values()) credentials.sort((a, b) => (a.mechanism < b.mechanism ? -1 : 1));
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** All changes of one user, or none; the error of each user that has one. */
  async alter(
    deletions: readonly ScramDeletion[],
    upsertions: readonly ScramUpsertion[],
  ): Promise<Map<string, MillraceError | undefined>> {
    const results = new Map<string, MillraceError | undefined>();
    const changes: StateChange[] = [];
    for (const user of new Set([...deletions, ...upsertions].map(entry => entry.user))) {
      try {
        const of = <T extends { readonly user: string }>(entries: readonly T[]): T[] =>
          entries.filter(entry => entry.user === user);
        changes.push(...this.changesOf(user, of(deletions), of(upsertions)));
        results.set(user, undefined);
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        results.set(user, error);
      }
    }
    if (changes.length > 0) await this.log.change(changes);
    return results;
  }

  private changesOf(
    user: string,
    deletions: readonly ScramDeletion[],
    upsertions: readonly ScramUpsertion[],
  ): StateChange[] {
    if (user === '') throw saslErrors.badCredential({ mechanism: 'SCRAM', what: 'an empty user name' });
    if (this.declared.has(user)) throw securityErrors.userInConfiguration({ user });
    const mechanisms = [...deletions, ...upsertions].map(({ mechanism }) => mechanism);
    const twice = mechanisms.find((mechanism, i) => mechanisms.indexOf(mechanism) !== i);
    if (twice !== undefined) throw securityErrors.changedTwice({ user, mechanism: twice });
    const unknown = mechanisms.find(mechanism => !SCRAM_TYPES.some(([, name]) => name === mechanism));
    if (unknown !== undefined)
      throw saslErrors.noSuchMechanism({ mechanism: unknown, known: SCRAM_TYPES.map(([, name]) => name).join(', ') });
    const removed = deletions.map(({ mechanism }): StateChange => {
      if (!this.log.states.get(TABLE, keyOf(user, mechanism)))
        throw securityErrors.noSuchCredential({ user, mechanism });
      return { table: TABLE, key: keyOf(user, mechanism), value: undefined };
    });
    const written = upsertions.map(({ iterations, mechanism, salt, saltedPassword }): StateChange => {
      const credential = scramCredentialFromSalted(mechanism, saltedPassword, salt, iterations);
      return { table: TABLE, key: keyOf(user, mechanism), value: Buffer.from(JSON.stringify(print(credential))) };
    });
    return [...removed, ...written];
  }
}

function keyOf(user: string, mechanism: string): string {
  return JSON.stringify([user, mechanism]);
}

function print({ iterations, salt, serverKey, storedKey }: ScramCredential): Stored {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return { salt: base64(salt), iterations, storedKey: base64(storedKey), serverKey: base64(serverKey) };
}

function parse(value: Uint8Array): ScramCredential {
  const { iterations, salt, serverKey, storedKey } = JSON.parse(Buffer.from(value).toString()) as Stored;
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
  return { salt: bytes(salt), iterations, storedKey: bytes(storedKey), serverKey: bytes(serverKey) };
}
