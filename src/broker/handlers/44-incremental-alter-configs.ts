/**
 * IncrementalAlterConfigs.
 *
 * Versions: 0 and 1.
 * Behaviour: each config named is set, given back to its default, or, where it is a list, gets entries or loses them; durable
 *   before the answer and effective with it. A value or name that cannot be is 40, as is a list's operation on what is none; a
 *   name given twice or without a value, and an operation that there is not, 42. Then nothing of the topic changes.
 *   The broker's configs are those of its file: 42.
 * Not done: nothing.
 * Versions differ: only in their layout.
 */
import { apis } from '../../wire/index.ts';
import { alterAll, type Change } from '../altering.ts';
import { defineHandler } from '../handler.ts';
import { isListConfig, listOf } from '../topic-configs.ts';

const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

interface Step {
  readonly name: string;
  readonly configOperation: number;
  readonly value: string | null;
}

export default defineHandler({
  api: apis.incrementalAlterConfigs,
  min: 0,
  max: 1,
  async handle(context, request) {
    const { resources, validateOnly } = request;
    return { responses: await alterAll(context, resources, validateOnly, ({ configs }) => stepwise(configs)) };
  },
});

function stepwise(steps: readonly Step[]): Change {
  return configs => {
    const wanted = new Map(configs);
    const seen = new Set<string>();
    for (const { configOperation, name, value } of steps) {
      if (seen.has(name)) return ['INVALID_REQUEST', `${name} is given twice`];
      seen.add(name);
      if (configOperation === OPERATION.delete) {
        wanted.delete(name);
        continue;
      }
      if (value === null) return ['INVALID_REQUEST', `${name} needs a value`];
      switch (configOperation) {
        case OPERATION.set:
          wanted.set(name, value);
          break;
        case OPERATION.append:
        case OPERATION.subtract: {
          if (!isListConfig(name)) return ['INVALID_CONFIG', `${name} is no list: it cannot be added to or taken from`];
          const entries = listOf(wanted, name);
          const given = value.split(',');
          const rest = entries.filter(entry => !given.includes(entry));
          wanted.set(name, (configOperation === OPERATION.append ? [...rest, ...given] : rest).join(','));
          break;
        }
        default:
          return ['INVALID_REQUEST', `there is no operation ${configOperation}`];
      }
    }
    return wanted;
  };
}
