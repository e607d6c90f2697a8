/** What a connection hands to the handler of a request. */
import type { Address, MillraceError, Slab } from '../base/index.ts';
import type { BrokerServices, ClientInfo, RequestContext } from './handler.ts';
import type { Authentication } from './security/authentication.ts';
import { securityErrors } from './security/errors.ts';
import { principalText } from './security/identity.ts';

/** What stays the same as long as the connection is there. */
export interface ClientParts {
  readonly services: BrokerServices;
  readonly client: ClientInfo;
  readonly authentication: Authentication;
  readonly isLogService: boolean;
  readonly advertised: Address;
  readonly closers: Set<() => void>;
  refused(error: MillraceError): void;
}

/** The identity is that of the moment: a request that is under way keeps it. */
export function requestContext(
  parts: ClientParts,
  version: number,
  frame: Slab | undefined,
  lent: Uint8Array[],
): RequestContext {
  const { advertised, authentication, client, closers, isLogService, refused, services } = parts;
  const { identity } = authentication;
  return {
    ...services,
    namespace: identity.namespace,
    client,
    identity,
    authentication,
    isLogService,
    advertised,
    version,
    frame,
    lend: bytes => {
      const buffer = services.buffers.take(bytes);
      lent.push(buffer);
      return buffer.subarray(0, bytes);
    },
    onClose: callback => {
      closers.add(callback);
      return () => closers.delete(callback);
    },
    refused,
    may: (operation, type, name, isAsked = true) => {
      const { authorizer } = services.security;
      if (authorizer.allows({ identity, host: client.host, operation, type, name })) return true;
      const resource = `${type.toLowerCase()} ${name}`;
      if (isAsked) refused(securityErrors.denied({ principal: principalText(identity), operation, resource }));
      return false;
    },
  };
}
