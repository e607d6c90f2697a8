/** The definitions of `src/wire/messages`, scanned as the generator scans them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { EmbeddedDefinition, FieldDefinition, MessageDefinition } from '../../../src/wire/define.ts';

const MESSAGES = join(import.meta.dirname, '../../../src/wire/messages');

/** One body that travels on its own: a request, a response, or a structure inside opaque bytes. */
export interface Body {
  /** Kafka's name, such as `FetchRequest`. */
  readonly name: string;
  readonly kind: 'request' | 'response' | 'embedded';
  /** -1 of embedded structures. */
  readonly apiKey: number;
  readonly versions: readonly [number, number];
  /** `Infinity` where there is no flexible version. */
  readonly flexibleSince: number;
  readonly fields: readonly FieldDefinition[];
}

export const bodies: readonly Body[] = (await Promise.all(readdirSync(MESSAGES).sort().map(load))).flat();

async function load(file: string): Promise<Body[]> {
  const module = (await import(join(MESSAGES, file))) as Record<string, MessageDefinition | EmbeddedDefinition>;
  return Object.values(module).flatMap((definition): Body[] => {
    const { name, versions } = definition;
    if (!('key' in definition))
      return [{ name, kind: 'embedded', apiKey: -1, versions, flexibleSince: Infinity, fields: definition.fields }];
    const shared = { apiKey: definition.key, versions, flexibleSince: definition.flexibleSince ?? Infinity };
    return [
      { ...shared, name: `${name}Request`, kind: 'request', fields: definition.request },
      { ...shared, name: `${name}Response`, kind: 'response', fields: definition.response },
    ];
  });
}
