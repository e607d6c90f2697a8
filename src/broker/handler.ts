/**
 * What a handler of one API is: versions, code, and what it may use. The ApiVersions answer is computed from the list of
 * handlers (`handlers/index.ts`), so nothing is advertised that is not there.
 */
import type { Arena, Io, Logger, Slab } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import type { Log, Topic } from '../log/index.ts';
import type { AnyApi, Api } from '../wire/index.ts';
import type { Refusals } from './refusals.ts';

export interface BrokerSettings {
  readonly nodeId: number;
  readonly advertisedHost: string | undefined;
  readonly requestBytesMax: number;
  readonly fetchBytesMax: number;
  readonly idleMs: number;
  readonly autoCreateTopics: boolean;
  readonly defaultPartitions: number;
  readonly topicDefaults: ReadonlyMap<string, string>;
}

export interface BrokerServices {
  readonly io: Io;
  /** Where record data is received; private memory without it. */
  readonly arena: Arena | undefined;
  readonly log: Log;
  readonly coordination: Coordination;
  readonly settings: BrokerSettings;
  readonly refusals: Refusals;
  readonly logger: Logger;
  readonly handlers: ReadonlyMap<number, Handler>;
  readonly counters: BrokerCounters;
}

export interface BrokerCounters {
  connections: number;
  requests: number;
  producedBytes: number;
  producedBatches: number;
  fetchedBytes: number;
}

export interface ClientInfo {
  readonly id: string;
  readonly address: string;
  software: string;
}

export interface RequestContext extends BrokerServices {
  readonly namespace: string;
  readonly client: ClientInfo;
  /** The address that the client reached us at, for Metadata. */
  readonly host: string;
  readonly port: number;
  readonly version: number;
  /** Held until the records of the request are durable. */
  readonly frame: Slab | undefined;
  /** Calls back when the connection closes; returns how to forget it. */
  onClose(callback: () => void): () => void;
}

/** Answered by nothing at all (acks=0). */
export const NO_RESPONSE = Symbol('no response');
/** The connection ends instead of an answer: the only way to report an error without a response. */
export const CLOSE = Symbol('close');

export interface Handler {
  readonly api: AnyApi;
  readonly min: number;
  readonly max: number;
  readonly handle: (context: RequestContext, request: never) => unknown;
}

export function defineHandler<Q, QI, S, SI>(definition: {
  readonly api: Api<Q, QI, S, SI>;
  readonly min: number;
  readonly max: number;
  handle(
    context: RequestContext,
    request: Q,
  ): SI | typeof NO_RESPONSE | typeof CLOSE | Promise<SI | typeof NO_RESPONSE | typeof CLOSE>;
}): Handler {
  const { api, handle } = definition;
  return { ...definition, api: api as unknown as AnyApi, handle: handle as Handler['handle'] };
}

/** A topic that this client may see: by name in its namespace. */
export function topicFor(context: RequestContext, name: string): Topic | undefined {
  return context.log.topic(context.namespace, name);
}

/** By name, or by id from the versions on that name topics so. */
export function topicByNameOrId(context: RequestContext, name: string, id: string, isById: boolean): Topic | undefined {
  if (!isById) return topicFor(context, name);
  const topic = context.log.topicById(id);
  return topic?.namespace === context.namespace ? topic : undefined;
}
