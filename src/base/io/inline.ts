/**
 * Threads that run in the caller's thread, for unit tests and the simulation: the same modules, the same messages, handed
 * over by a scheduler instead of a queue between threads. Messages keep their order and never arrive within `post`.
 */
import type { Io, Port, Thread, ThreadMain, Threads } from './types.ts';

export class InlineThreads implements Threads {
  readonly cores = 1;
  /** The seam that the threads get; set once it is whole. */
  io: Io | undefined;
  private readonly defer: (call: () => void) => void;
  private readonly modules: ReadonlyMap<string, ThreadMain>;

  /** `modules` by the last part of their path without extension (`commit-thread`). */
  constructor(modules: Readonly<Record<string, ThreadMain>>, defer: (call: () => void) => void = queueMicrotask) {
    this.modules = new Map(Object.entries(modules));
    this.defer = defer;
  }

  start(module: URL, data: unknown, _name: string): Thread {
    const name = module.pathname.replace(/^.*\//, '').replace(/\.[tj]s$/, '');
    const main = this.modules.get(name);
    if (!main || !this.io) throw new Error(`no inline module ${name}`);
    const [outside, inside] = portPair(this.defer);
    void Promise.resolve(main(this.io, inside, data));
    let onExit: (error: Error | undefined) => void = () => undefined;
    return {
      ...outside,
      onExit: handler => {
        onExit = handler;
      },
      stop: () => {
        inside.onMessage(() => undefined);
        onExit(undefined);
        return Promise.resolve();
      },
    };
  }
}

/** Two ends of a channel. Messages wait until the other end listens. */
export function portPair(defer: (call: () => void) => void = queueMicrotask): [Port, Port] {
  const ends = [makeEnd(), makeEnd()] as const;
  const port = (own: End, other: End): Port => ({
    post: message => defer(() => other.receive(message)),
    onMessage: handler => own.listen(handler),
  });
  return [port(ends[0], ends[1]), port(ends[1], ends[0])];
}

interface End {
  receive(message: unknown): void;
  listen(handler: (message: unknown) => void): void;
}

function makeEnd(): End {
  let handler: ((message: unknown) => void) | undefined;
  const waiting: unknown[] = [];
  return {
    receive: message => {
      if (handler) handler(message);
      else waiting.push(message);
    },
    listen: listener => {
      handler = listener;
      for (const message of waiting.splice(0)) listener(message);
    },
  };
}
