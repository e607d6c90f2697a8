/** Front door of `builtins`: everything that plugs in. */
import { makeRegistry, type Registry } from '../sdk/index.ts';
import { aggregates } from './aggregates/index.ts';
import { functions } from './functions/index.ts';
import { operators } from './operators/index.ts';

export { openSecrets } from './secrets/index.ts';

export const builtins: Registry = makeRegistry({ operators, functions, aggregates });
