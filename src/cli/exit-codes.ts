/** Exit codes of the command line: documented, tested, stable. */
export const EXIT = {
  /** Also a clean drain after SIGTERM or SIGINT. */
  ok: 0,
  /** Failed while running; a drain that left events behind. */
  failed: 1,
  /** Unknown flag, missing argument, wrong value. */
  usage: 2,
  /** A check found something. */
  found: 3,
  notFound: 4,
  noConnection: 5,
  refused: 6,
  /** Refused to start on an invalid configuration, as sysexits has it. */
  badConfig: 78,
  /** Forced by a second signal. */
  interrupted: 130,
  terminated: 143,
} as const;

/** For help and README: what each means, in the order of the codes. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'success; also a clean drain after SIGTERM or SIGINT'],
  [EXIT.failed, 'failed while running'],
  [EXIT.usage, 'wrong usage: unknown flag, missing argument'],
  [EXIT.found, 'a check found something'],
  [EXIT.notFound, 'not found'],
  [EXIT.noConnection, 'cannot connect, time-out'],
  [EXIT.refused, 'authentication or permission refused'],
  [EXIT.badConfig, 'refused to start on an invalid configuration'],
  [EXIT.interrupted, 'forced by a second SIGINT'],
  [EXIT.terminated, 'forced by a second SIGTERM'],
];
