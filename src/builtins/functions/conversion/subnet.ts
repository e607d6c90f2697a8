/** `subnet`. */
import { Ip, readIp, readSubnet, Subnet, typeOf, type Value } from '../../../data/index.ts';
import { defineFunction } from '../../../sdk/index.ts';

export default defineFunction({
  name: 'subnet',
  category: 'conversion',
  summary: 'A subnet from text, or from an address and the length of its prefix.',
  parameters: [
    { name: 'x', type: 'any' },
    { name: 'prefix', type: 'int', isOptional: true },
  ],
  returns: 'subnet',
  isPure: true,
  examples: [
    { tql: 'subnet("10.1.2.3/8")', out: '10.0.0.0/8' },
    { tql: 'subnet(10.1.2.3, 16)', out: '10.1.0.0/16' },
  ],
  evaluate: ([x, prefix], { warn }) => {
    const value = x as Value;
    const found = prefix === undefined ? whole(value) : within(value, Number(prefix));
    if (found) return found;
    warn(`failed to convert \`${typeOf(value)}\` to \`subnet\``);
    return null;
  },
});

function whole(value: Value): Subnet | undefined {
  return value instanceof Subnet ? value : typeof value === 'string' ? readSubnet(value) : undefined;
}

function within(value: Value, prefix: number): Subnet | undefined {
  const address = value instanceof Ip ? value : typeof value === 'string' ? readIp(value) : undefined;
  const length = address?.isV4 ? 32 : 128;
  if (!address || prefix < 0 || prefix > length) return undefined;
  return new Subnet(address, prefix + 128 - length);
}
