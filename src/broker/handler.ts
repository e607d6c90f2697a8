/**
 * What a handler of one API is: versions, code, and what it may use. The ApiVersions answer is computed from the list of
 * handlers (`handlers/index.ts`), so nothing is advertised that is not there.
 */
import type { Address, Arena, Io, Logger, MillraceError, Slab } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import type { Log, Topic } from '../log/index.ts';
import type { AnyApi, Api } from '../wire/index.ts';
import { aliasId, logstoreOf } from './logstores.ts';
import type { AnswerBuffers } from './answer-buffers.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { ClientMemory } from './memory.ts';
import type { ParseFormats } from './parse-formats.ts';
import type { Refusals } from './refusals.ts';
import type { Operation, ResourceType } from './security/acl.ts';
import type { Authentication, AuthenticationCounters } from './security/authentication.ts';
import type { Identity } from './security/identity.ts';
import type { Security } from './security/security.ts';
import type { TopicMaker } from './topic-maker.ts';

export interface BrokerSettings {
  readonly nodeId: number;
  readonly requestBytesMax: number;
  /** What a Fetch may hold at most, whatever it asks for. */
  readonly fetchBytesMax: number;
  /** Requests that are received or worked on, of all clients together. */
  readonly requestMemoryBytes: number;
  /** Answers that clients have not read yet, all together: beyond it a Fetch gets one batch. */
  readonly answerMemoryBytes: number;
  readonly connectionsMax: number;
  readonly idleMs: number;
  readonly autoCreateTopics: boolean;
  readonly defaultPartitions: number;
  /** Of all topics together. */
  readonly partitionsMax: number;
}

export interface BrokerServices {
  readonly io: Io;
  /** Where record data is received; private memory without it. */
  readonly arena: Arena | undefined;
  readonly log: Log;
  readonly coordination: Coordination;
  readonly settings: BrokerSettings;
  readonly security: Security;
  readonly parseFormats: ParseFormats;
  readonly refusals: Refusals;
  readonly memory: ClientMemory;
  readonly buffers: AnswerBuffers;
  readonly fetchSessions: FetchSessions;
  readonly topicMaker: TopicMaker;
  readonly logger: Logger;
  readonly handlers: ReadonlyMap<number, Handler>;
  readonly counters: BrokerCounters;
}

export interface BrokerCounters extends AuthenticationCounters {
  connections: number;
  requests: number;
  producedBytes: number;
  producedBatches: number;
  fetchedBytes: number;
}

/** Who is at the other end. */
export interface ClientInfo {
  id: string;
  readonly host: string;
  software: string;
  /** The partition that a byte limit kept from being read; the next Fetch begins there. */
  fetchFrom: string | undefined;
}

export interface RequestContext extends BrokerServices {
  readonly namespace: string;
  readonly client: ClientInfo;
  readonly identity: Identity;
  readonly authentication: Authentication;
  /** The client came to projects and their Logstores. */
  readonly isLogService: boolean;
  /** Where clients reach this node, as this client's listener tells it. */
  readonly advertised: Address;
  readonly version: number;
  /** Held until the records of the request are durable. */
  readonly frame: Slab | undefined;
  /** Memory for the answer, with anything in it; another's as soon as the answer has been written. */
  lend(bytes: number): Uint8Array;
  /** Calls back when the connection closes; returns how to forget it. */
  onClose(callback: () => void): () => void;
  /** Remembers and logs what this client was refused. */
  refused(error: MillraceError): void;
  /** Whether the client may do it. A no is a refusal, unless the client did not ask for it. */
  may(operation: Operation, type: ResourceType, name: string, isAsked?: boolean): boolean;
}

/** Answered by nothing at all (acks=0). */
export const NO_RESPONSE = Symbol('no response');
/** The connection ends instead of an answer: the only way to report an error without a response. */
export const CLOSE = Symbol('close');

export interface Handler {
  readonly api: AnyApi;
  readonly min: number;
  readonly max: number;
  /**
   * May wait for something that has not happened yet. A connection runs one such request of an API at a time, and does not
   * wait for it when it closes; nothing of the request's bytes may be used after the call.
   */
  readonly waits: boolean;
  readonly handle: (context: RequestContext, request: never) => unknown;
}

/** The connection ends behind this answer. */
export class LastAnswer<SI> {
  readonly answer: SI;

  constructor(answer: SI) {
    this.answer = answer;
  }
}

type Answer<SI> = SI | LastAnswer<SI> | typeof NO_RESPONSE | typeof CLOSE;

export function defineHandler<Q, QI, S, SI>(definition: {
  readonly api: Api<Q, QI, S, SI>;
  readonly min: number;
  readonly max: number;
  readonly waits?: boolean;
  handle(context: RequestContext, request: Q): Answer<SI> | Promise<Answer<SI>>;
}): Handler {
  const { api, handle, waits = false } = definition;
  return { ...definition, waits, api: api as unknown as AnyApi, handle: handle as Handler['handle'] };
}

/** The topic that the client means: by name in its namespace. What it may do with it is another question. */
export function topicFor(context: RequestContext, name: string): Topic | undefined {
  return context.log.topic(context.namespace, topicName(context, name));
}

/** The topic's own name: on listeners of the log service an alias is resolved. */
export function topicName(context: RequestContext, name: string): string {
  return context.isLogService ? logstoreOf(name) : name;
}

/** By name, or by id from the versions on that name topics so. */
export function topicByNameOrId(context: RequestContext, name: string, id: string, isById: boolean): Topic | undefined {
  if (!isById) return topicFor(context, name);
  const { isLogService, log, namespace } = context;
  const topic = log.topicById(id) ?? (isLogService ? log.topicById(aliasId(id)) : undefined);
  return topic?.namespace === namespace ? topic : undefined;
}
