/** One shape for all our codecs: request and response frames without their size, embedded structures without a header. */
import type { AnyApi } from '../../../src/wire/index.ts';
import * as wire from '../../../src/wire/index.ts';
import type { Body } from './our-definitions.ts';
import type { Message } from './random-messages.ts';

export interface Codec {
  encode(header: Message, message: Message): Buffer;
  /** The header as Kafka names its fields; null of embedded structures. Throws where bytes are left over. */
  decode(bytes: Uint8Array): { header: Message | null; message: Message };
}

const apis = new Map((wire.apis.allApis as readonly AnyApi[]).map(api => [api.key, api]));

export const flexibleSince = (apiKey: number): number | undefined => apis.get(apiKey)?.flexibleSince;

export function codecOf(body: Body, version: number): Codec {
  if (body.kind === 'embedded') return embeddedCodec(body.name, version);
  const api = apis.get(body.apiKey)!;
  return body.kind === 'request' ? requestCodec(api, version) : responseCodec(api, version);
}

function embeddedCodec(name: string, version: number): Codec {
  const functions = wire as unknown as Record<string, (first: unknown, ...rest: unknown[]) => unknown>;
  return {
    encode: (_header, message) => {
      const w = new wire.Writer();
      functions[`encode${name}`]!(w, message, version);
      return Buffer.concat(w.finish());
    },
    decode: bytes => {
      const r = new wire.Reader(bytes);
      const message = functions[`decode${name}`]!(r, version) as Message;
      r.expectEnd();
      return { header: null, message };
    },
  };
}

function requestCodec(api: AnyApi, version: number): Codec {
  return {
    encode: ({ correlationId, clientId }, message) => {
      const id = correlationId as number;
      return withoutSize(wire.encodeRequest(api, version, id, clientId as string | null, message as never));
    },
    decode: bytes => {
      const r = new wire.Reader(bytes);
      const { apiKey, apiVersion, ...rest } = wire.decodeRequestHeader(r, flexibleSince);
      const message: Message = api.decodeRequest(r, version);
      r.expectEnd();
      return { header: { requestApiKey: apiKey, requestApiVersion: apiVersion, ...rest }, message };
    },
  };
}

function responseCodec(api: AnyApi, version: number): Codec {
  return {
    encode: ({ correlationId }, message) =>
      withoutSize(wire.encodeResponse(api, version, correlationId as number, message as never)),
    decode: bytes => {
      const r = new wire.Reader(bytes);
      const correlationId = r.int32();
      return { header: { correlationId }, message: wire.decodeResponse(api, version, r) as Message };
    },
  };
}

function withoutSize(pieces: readonly Uint8Array[]): Buffer {
  const frame = Buffer.concat(pieces);
  if (frame.readInt32BE() !== frame.length - 4) throw new Error('the size of the frame is wrong');
  return frame.subarray(4);
}
