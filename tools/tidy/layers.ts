/** Which folder of `src` may import which. Reading this table is reading the architecture. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  data: ['base'],
  wire: ['base'],
  sasl: ['base'],
  log: ['base', 'wire/records'],
  sdk: ['base', 'data'],
  client: ['base', 'wire', 'wire/records', 'sasl'],
  coordination: ['base', 'log'],
  broker: ['base', 'wire', 'wire/records', 'sasl', 'log', 'coordination'],
  lang: ['base', 'data', 'sdk'],
  engine: ['base', 'data', 'sdk', 'lang/plan'],
  builtins: ['base', 'data', 'sdk', 'client', 'wire/records'],
  app: [
    'base',
    'data',
    'sdk',
    'wire/records',
    'sasl',
    'log',
    'coordination',
    'broker',
    'client',
    'lang',
    'engine',
    'builtins',
  ],
  cli: ['app', 'base', 'builtins', 'client', 'engine', 'lang', 'log', 'sdk', 'wire/records'],
  testing: [
    'builtins',
    'lang',
    'engine',
    'sdk',
    'base',
    'data',
    'log',
    'coordination',
    'broker',
    'client',
    'wire',
    'wire/records',
    'app',
  ],
};

/** Doors besides `index.ts`: heavy or process-bound modules that are imported by name where they are needed. */
export const EXTRA_DOORS: ReadonlySet<string> = new Set([
  'base/io/node.ts',
  'base/io/local-server.ts',
  'log/threads.ts',
  'app/demo/index.ts',
  'engine/ledger.ts',
  'lang/source.ts',
  'app/version.ts',
]);

/** Files that may touch the process itself: disk, sockets, timers, clocks, chance, environment, console. */
export const MAY_TOUCH_PROCESS: readonly RegExp[] = [/^base\/io\//, /^cli\//, /^testing\//, /\.(test|fuzz)\.ts$/];

/** What only those files may name. */
export const PROCESS_WORDS: readonly RegExp[] = [
  /from 'node:(fs|net|tls|http|https|child_process|worker_threads|dgram|timers)/,
  /\bgetBuiltinModule\(/,
  /\bDate\.now\(/,
  /\bperformance\.now\(/,
  /\bMath\.random\(/,
  /\bset(Timeout|Interval)\(/,
  /\bprocess\.(env|stdout|stderr|stdin|argv)\b/,
  /\bconsole\./,
];

/** The one file or folder that names a package. */
export const PACKAGE_OWNERS: Readonly<Record<string, string>> = {
  'fast-check': 'data/value-cases.ts',
  jose: 'sasl/jwt.ts',
  zod: 'app/config/schema.ts',
  yaml: 'app/config/document.ts',
  re2js: 'base/pattern.ts',
  pino: 'base/logger.ts',
  commander: 'cli/program.ts',
  undici: 'builtins/connectors/splunk-hec/http.ts',
  '@node-rs/crc32': 'wire/records/crc.ts',
  snappyjs: 'wire/compression/snappy.ts',
  'lz4-napi': 'wire/compression/lz4.ts',
};
