/**
 * OCSF events of the demo: sign-ins, network and DNS activity, about 550 bytes each. Event n of a seed is always the same but
 * for its time, so that a generator can go on at any number.
 */
import { SeededRandom } from '../../base/index.ts';

const USERS = ['anaya', 'bela', 'chidi', 'dmitri', 'esra', 'fatou', 'goran', 'hana'];
const HOSTS = ['vpn-1', 'mail-2', 'erp-1', 'build-7', 'desk-113', 'desk-208'];
const DOMAINS = ['example.com', 'updates.example.net', 'cdn.example.org', 'x7f3k.example.biz'];
/** OCSF severities by frequency; one event in ten is high (4) or above. */
const SEVERITIES = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 2, 1, 2, 3, 1, 4, 5];
const SEVERITY_NAMES = ['Unknown', 'Informational', 'Low', 'Medium', 'High', 'Critical'];
/** One event in a thousand is malformed, so that dead letters are seen. */
const MALFORMED_EVERY = 1_000;

/** Event `number` of the seed as JSON text. */
export function demoEvent(seed: number, number: number, timeMs: number): string {
  const text = JSON.stringify(eventOf(new Maker(seed, number), timeMs));
  return number % MALFORMED_EVERY === MALFORMED_EVERY - 1 ? text.slice(0, -20) : text;
}

class Maker {
  private readonly random: SeededRandom;

  constructor(seed: number, number: number) {
    this.random = new SeededRandom(Math.imul(seed, 0x9e37_79b1) ^ number);
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)]!;
  }

  hex(bytes: number): string {
    return Buffer.from(this.random.bytes(bytes)).toString('hex');
  }
}

function eventOf(make: Maker, timeMs: number): Record<string, unknown> {
  const severity = make.pick(SEVERITIES);
  const classOf = (category: number, number: number, name: string, activity: number): Record<string, unknown> => ({
    category_uid: category,
    class_uid: number,
    class_name: name,
    activity_id: activity,
    type_uid: number * 100 + activity,
  });
  const base = {
    time: Math.floor(timeMs),
    severity_id: severity,
    severity: SEVERITY_NAMES[severity],
    status_id: severity >= 4 ? 2 : 1,
    metadata: {
      version: '1.3.0',
      uid: make.hex(16),
      product: { name: 'Millrace demo', vendor_name: 'Millrace' },
    },
    // Beyond 2^53: numbers that a double would round.
    actor: { user: { name: make.pick(USERS), uid: String(1_000_000_000_000_000_000n + BigInt(make.below(1e9))) } },
    src_endpoint: {
      ip: `10.${make.below(256)}.${make.below(256)}.${make.below(256)}`,
      port: 1024 + make.below(60_000),
    },
    device: { hostname: make.pick(HOSTS), type_id: 2 },
  };
  switch (make.below(3)) {
    case 0:
      return {
        ...classOf(3, 3002, 'Authentication', 1),
        ...base,
        is_mfa: make.below(2) === 1,
        message: severity >= 4 ? 'sign-in failed five times' : 'signed in',
      };
    case 1:
      return {
        ...classOf(4, 4001, 'Network Activity', 6),
        ...base,
        dst_endpoint: { ip: `192.0.2.${make.below(256)}`, port: 443 },
        traffic: { bytes_in: make.below(1_000_000), bytes_out: make.below(100_000) },
      };
    default:
      return {
        ...classOf(4, 4003, 'DNS Activity', 1),
        ...base,
        query: { hostname: make.pick(DOMAINS), type: 'A', class: 'IN' },
        rcode_id: 0,
      };
  }
}
