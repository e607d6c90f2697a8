/**
 * AlterConfigs.
 *
 * Versions: 0 to 2.
 * Behaviour: the topic's configs are those named and no others, durable before the answer and effective with it. A value that
 *   cannot be is 40, a name given twice or without a value 42; then nothing of the topic changes. The broker's configs are
 *   those of its file: 42.
 * Not done: nothing.
 * Versions differ: only in their layout.
 */
import { apis } from '../../wire/index.ts';
import { alterAll, type Change } from '../altering.ts';
import { defineHandler } from '../handler.ts';

interface Named {
  readonly name: string;
  readonly value: string | null;
}

export default defineHandler({
  api: apis.alterConfigs,
  min: 0,
  max: 2,
  async handle(context, request) {
    const { resources, validateOnly } = request;
    return { responses: await alterAll(context, resources, validateOnly, ({ configs }) => replacing(configs)) };
  },
});

function replacing(configs: readonly Named[]): Change {
  return () => {
    const wanted = new Map<string, string>();
    for (const { name, value } of configs) {
      if (wanted.has(name)) return ['INVALID_REQUEST', `${name} is given twice`];
      if (value === null) return ['INVALID_REQUEST', `${name} needs a value`];
      wanted.set(name, value);
    }
    return wanted;
  };
}
