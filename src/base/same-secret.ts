/**
 * Comparison of secrets in a time that tells nothing of where they differ, nor of how long the right one is: both sides are
 * hashed under a key of this process first.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const key = randomBytes(32);

export function sameSecret(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const digest = (value: string | Uint8Array): Buffer => createHmac('sha256', key).update(value).digest();
  return timingSafeEqual(digest(a), digest(b));
}
