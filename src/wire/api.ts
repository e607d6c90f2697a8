/** One API of the protocol: its number, versions and codecs. The generated registry holds all of them. */
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** `Q`, `S`: request and response as read; `QI`, `SI`: as written, where defaults may be left out. */
export interface Api<Q, QI, S, SI> {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First flexible version; beyond `maxVersion` where there is none. */
  readonly flexibleSince: number;
  encodeRequest(w: Writer, message: QI, version: number): void;
  decodeRequest(r: Reader, version: number): Q;
  encodeResponse(w: Writer, message: SI, version: number): void;
  decodeResponse(r: Reader, version: number): S;
}

export type AnyApi = Api<never, never, never, never>;
