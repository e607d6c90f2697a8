/**
 * Frames and headers.
 *
 *   request    i32 size · apiKey i16 · version i16 · correlationId i32 · clientId string (i16 length, also in header
 *              v2) · tagged section in header v2 · body
 *   response   i32 size · correlationId i32 · tagged section in header v1 · body
 *
 * Header v2 of requests and v1 of responses belong to flexible versions; ApiVersions answers always have header v0, so
 * that a client that asked too high a version can read them.
 */
import type { Api } from './api.ts';
import { wireErrors } from './errors.ts';
import type { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const API_VERSIONS_KEY = 18;

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** The part of the header that is the same in every version; the client id and tags follow. */
export function decodeRequestHeader(r: Reader, flexibleSince: (apiKey: number) => number | undefined): RequestHeader {
  const apiKey = r.int16();
  const apiVersion = r.int16();
  const correlationId = r.int32();
  const clientId = r.remaining >= 2 ? r.nullableString(false) : null;
  const flexible = flexibleSince(apiKey);
  if (flexible !== undefined && apiVersion >= flexible) r.skipTags();
  return { apiKey, apiVersion, correlationId, clientId };
}

/** A whole request frame, size included, as pieces. */
export function encodeRequest<Q, QI, S, SI>(
  api: Api<Q, QI, S, SI>,
  version: number,
  correlationId: number,
  clientId: string | null,
  message: QI,
): Uint8Array[] {
  const w = new Writer();
  w.int16(api.key);
  w.int16(version);
  w.int32(correlationId);
  w.nullableString(clientId, false);
  if (version >= api.flexibleSince) w.uvarint(0);
  api.encodeRequest(w, message, version);
  return withSize(w);
}

/** A whole response frame, size included, as pieces. */
export function encodeResponse<Q, QI, S, SI>(
  api: Api<Q, QI, S, SI>,
  version: number,
  correlationId: number,
  message: SI,
): Uint8Array[] {
  const w = new Writer();
  w.int32(correlationId);
  if (version >= api.flexibleSince && api.key !== API_VERSIONS_KEY) w.uvarint(0);
  api.encodeResponse(w, message, version);
  return withSize(w);
}

/** Body of a response frame whose size and correlation id were read. */
export function decodeResponse<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, version: number, r: Reader): S {
  if (version >= api.flexibleSince && api.key !== API_VERSIONS_KEY) r.skipTags();
  const message = api.decodeResponse(r, version);
  r.expectEnd();
  return message;
}

export function expectVersion(api: { readonly name: string }, version: number, min: number, max: number): void {
  if (version < min || version > max) throw wireErrors.unsupportedVersion({ api: api.name, version, min, max });
}

function withSize(w: Writer): Uint8Array[] {
  const size = Buffer.allocUnsafeSlow(4);
  size.writeInt32BE(w.length);
  return [size, ...w.finish()];
}
