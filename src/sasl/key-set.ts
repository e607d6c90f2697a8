/**
 * A JSON Web Key Set from a file or an address, kept and fetched anew.
 *
 *   fetched when first used, again after `refreshMs`, and at once for a token whose key is not in it, but not more often than
 *   every `RETRY_MS`. A set that cannot be had anew is used on until it is `STALE_MS` old.
 *
 * Invariants
 * I1 one fetch is under way at a time; tokens that wait share it.
 * I2 whoever sends tokens with unknown keys cannot make us fetch more than once in `RETRY_MS`.
 */
import { type Io, messageOf, systemCode, type TlsOptions } from '../base/index.ts';
import { saslErrors } from './errors.ts';

export interface KeySetPlace {
  /** Path of a file, or an http or https address. */
  readonly place: string;
  readonly tls?: TlsOptions;
  readonly refreshMs?: number;
}

const RETRY_MS = 10_000;
const STALE_MS = 86_400_000;
const FILE_REFRESH_MS = 10_000;
const URL_REFRESH_MS = 3_600_000;
const BYTES_MAX = 1_048_576;
const TIMEOUT_MS = 10_000;

export class KeySet {
  private readonly io: Io;
  private readonly settings: KeySetPlace;
  private readonly isUrl: boolean;
  private keys: unknown;
  private loadedMs = Number.NEGATIVE_INFINITY;
  private triedMs = Number.NEGATIVE_INFINITY;
  private loading: Promise<void> | undefined;

  constructor(io: Io, settings: KeySetPlace) {
    this.io = io;
    this.settings = settings;
    this.isUrl = /^https?:\/\//.test(settings.place);
  }

  /** Runs with the keys; once more with newer ones when none fits and newer ones can be had. */
  async use<T>(run: (keys: unknown) => Promise<T>): Promise<T> {
    const refreshMs = this.settings.refreshMs ?? (this.isUrl ? URL_REFRESH_MS : FILE_REFRESH_MS);
    await this.load(refreshMs);
    const before = this.keys;
    try {
      return await run(before);
    } catch (error) {
      if (systemCode(error) !== 'ERR_JWKS_NO_MATCHING_KEY') throw error;
      await this.load(0);
      if (this.keys === before) throw error;
      return run(this.keys);
    }
  }

  private async load(olderThanMs: number): Promise<void> {
    const now = this.io.clock.monotonic();
    if (now - this.loadedMs <= olderThanMs) return;
    if (!this.loading) {
      if (now - this.triedMs < RETRY_MS && this.keys !== undefined) return;
      this.triedMs = now;
      this.loading = this.fetch().finally(() => {
        this.loading = undefined;
      });
    }
    try {
      await this.loading;
    } catch (error) {
      if (this.keys === undefined || now - this.loadedMs > STALE_MS) throw error;
    }
  }

  private async fetch(): Promise<void> {
    const { place } = this.settings;
    try {
      const keys: unknown = JSON.parse(Buffer.from(await this.read()).toString('utf8'));
      if (typeof keys !== 'object' || keys === null || !Array.isArray((keys as { keys?: unknown }).keys))
        throw new Error('it is no JSON Web Key Set');
      this.keys = keys;
      this.loadedMs = this.io.clock.monotonic();
    } catch (error) {
      throw saslErrors.keysUnavailable({ place, reason: messageOf(error) }, error);
    }
  }

  private async read(): Promise<Uint8Array> {
    const { place, tls } = this.settings;
    if (!this.isUrl) return this.io.files.readFile(place);
    const { body, status } = await this.io.network.request({
      url: place,
      method: 'GET',
      headers: { accept: 'application/json' },
      timeoutMs: TIMEOUT_MS,
      bytesMax: BYTES_MAX,
      ...(tls && { tls }),
    });
    if (status !== 200) throw new Error(`the answer has status ${status}`);
    return body;
  }
}
