/**
 * Threads that run in the caller's thread, for unit tests and the simulation: the same modules, the same messages, handed
 * over by a scheduler instead of a queue between threads. Messages keep their order and never arrive within `post`.
 *
 * What a thread has when it is stopped goes with it, as with a real one: its timers, and the files that it has open.
 */
import type { File, FileSystem, Io, Port, Thread, ThreadMain, Threads } from './types.ts';

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
    const life = new Life(this.io);
    void Promise.resolve(main(life.io, inside, data));
    let onExit: (error: Error | undefined) => void = () => undefined;
    return {
      ...outside,
      onExit: handler => {
        onExit = handler;
      },
      stop: () => {
        inside.onMessage(() => undefined);
        life.end();
        onExit(undefined);
        return Promise.resolve();
      },
    };
  }
}

/** What a thread holds of the seam. */
class Life {
  readonly io: Io;
  private readonly open = new Set<File>();
  private hasEnded = false;

  constructor(outer: Io) {
    const { clock, files } = outer;
    const own: FileSystem = {
      open: (path, mode) => this.keep(files.open(path, mode)),
      readFile: path => files.readFile(path),
      exists: path => files.exists(path),
      list: path => files.list(path),
      stat: path => files.stat(path),
      makeDirectory: path => files.makeDirectory(path),
      rename: (from, to) => files.rename(from, to),
      remove: path => files.remove(path),
      syncDirectory: path => files.syncDirectory(path),
      freeBytes: path => files.freeBytes(path),
    };
    this.io = {
      ...outer,
      files: own,
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        after: (ms, callback, options) => clock.after(ms, () => this.hasEnded || callback(), options),
      },
    };
  }

  end(): void {
    this.hasEnded = true;
    for (const file of this.open) file.close();
  }

  private keep(file: File): File {
    const close = file.close.bind(file);
    this.open.add(file);
    file.close = () => {
      this.open.delete(file);
      close();
    };
    return file;
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
