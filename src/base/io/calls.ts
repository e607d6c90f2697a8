/**
 * Calls over a port, both ways: an object served at one end is called at the other by its name, and every method answers
 * with a promise. Arguments and results are what structured clone takes; shared memory is shared.
 *
 * Invariants
 * I1 a call settles once: by its answer, or by `close`, which fails what is open.
 * I2 calls arrive in the order in which they were made; answers come as they are ready.
 */
import { MillraceError, messageOf, systemCode } from '../errors.ts';
import type { Port } from './types.ts';

/** What crosses the port of an object: its methods, each with a promise as its answer. */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

type Method = (...args: readonly unknown[]) => unknown;

type Message =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly object: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string; readonly code: string | undefined };

interface OpenCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Calls {
  private readonly port: Port;
  private readonly objects = new Map<string, Readonly<Record<string, Method>>>();
  private readonly open = new Map<number, OpenCall>();
  private nextId = 0;
  private closedBy: Error | undefined;

  constructor(port: Port) {
    this.port = port;
    port.onMessage(message => this.received(message as Message));
  }

  serve(name: string, object: object): void {
    this.objects.set(name, object as Readonly<Record<string, Method>>);
  }

  /** The object that the other end serves under the name. */
  remote<T extends object>(name: string): Remote<T> {
    const methods = new Map<string, Method>();
    return new Proxy({} as Remote<T>, {
      get: (_target, property) => {
        // Asked by `await`: this is no promise.
        if (typeof property !== 'string' || property === 'then') return undefined;
        let method = methods.get(property);
        if (!method) {
          method = (...args) => this.call(name, property, args);
          methods.set(property, method);
        }
        return method;
      },
    });
  }

  /** The other end is gone: everything open fails, and so does every later call. */
  close(error: Error): void {
    this.closedBy = error;
    for (const { reject } of this.open.values()) reject(error);
    this.open.clear();
  }

  private call(object: string, method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.closedBy) return Promise.reject(this.closedBy);
    return new Promise((resolve, reject) => {
      const id = ++this.nextId;
      this.open.set(id, { resolve, reject });
      this.port.post({ kind: 'call', id, object, method, args } satisfies Message);
    });
  }

  private received(message: Message): void {
    if (message.kind === 'call') {
      void this.run(message);
      return;
    }
    const call = this.open.get(message.id);
    this.open.delete(message.id);
    if (message.kind === 'answer') call?.resolve(message.value);
    else call?.reject(Object.assign(new Error(message.message), message.code !== undefined && { code: message.code }));
  }

  private async run({ args, id, method, object }: Extract<Message, { kind: 'call' }>): Promise<void> {
    let answer: Message;
    try {
      const target = this.objects.get(object);
      const called = target?.[method];
      if (!called) throw new Error(`nothing is served as ${object}.${method}`);
      answer = { kind: 'answer', id, value: await called.apply(target, [...args]) };
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : systemCode(error);
      answer = { kind: 'failure', id, message: messageOf(error), code };
    }
    this.port.post(answer);
  }
}
