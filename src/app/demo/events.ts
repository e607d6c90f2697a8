/** OCSF events of the demo: sign-ins, network and DNS activity, made from a seed, about 500 bytes each. */
import { SeededRandom } from '../../base/index.ts';

const USERS = ['anaya', 'bela', 'chidi', 'dmitri', 'esra', 'fatou', 'goran', 'hana'];
const HOSTS = ['vpn-1', 'mail-2', 'erp-1', 'build-7', 'desk-113', 'desk-208'];
const DOMAINS = ['example.com', 'updates.example.net', 'cdn.example.org', 'x7f3k.example.biz'];
/** OCSF severities 1 to 6; about one event in ten is high (4) or above. */
const SEVERITIES = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 2, 1, 2, 3, 1, 4, 5];
/** One event in a thousand is malformed, so that dead letters are seen. */
const MALFORMED_EVERY = 1_000;

export class EventMaker {
  private readonly random: SeededRandom;
  private made = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** The next event as JSON text. */
  next(timeMs: number): string {
    this.made++;
    const text = JSON.stringify(this.event(timeMs));
    return this.made % MALFORMED_EVERY === 0 ? text.slice(0, -20) : text;
  }

  private event(timeMs: number): Record<string, unknown> {
    const severity = this.pick(SEVERITIES);
    const base = {
      time: Math.floor(timeMs),
      severity_id: severity,
      status_id: severity >= 4 ? 2 : 1,
      metadata: { version: '1.3.0', uid: this.hex(16), product: { name: 'Millrace demo', vendor_name: 'Millrace' } },
      actor: {
        user: { name: this.pick(USERS), uid: String(1_000_000_000_000_000_000n + BigInt(this.random.uint32())) },
      },
      src_endpoint: {
        ip: `10.${this.random.below(256)}.${this.random.below(256)}.${this.random.below(256)}`,
        port: 1024 + this.random.below(60_000),
      },
      device: { hostname: this.pick(HOSTS), type_id: 2 },
    };
    switch (this.random.below(3)) {
      case 0:
        return {
          class_uid: 3002,
          category_uid: 3,
          class_name: 'Authentication',
          activity_id: 1,
          ...base,
          is_mfa: this.random.below(2) === 1,
          message: severity >= 4 ? 'sign-in failed five times' : 'signed in',
        };
      case 1:
        return {
          class_uid: 4001,
          category_uid: 4,
          class_name: 'Network Activity',
          activity_id: 6,
          ...base,
          dst_endpoint: { ip: `192.0.2.${this.random.below(256)}`, port: 443 },
          traffic: { bytes_in: this.random.below(1_000_000), bytes_out: this.random.below(100_000) },
        };
      default:
        return {
          class_uid: 4003,
          category_uid: 4,
          class_name: 'DNS Activity',
          activity_id: 1,
          ...base,
          query: { hostname: this.pick(DOMAINS), type: 'A', class: 'IN' },
          rcode_id: 0,
        };
    }
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.random.below(values.length)]!;
  }

  private hex(bytes: number): string {
    return Buffer.from(this.random.bytes(bytes)).toString('hex');
  }
}
