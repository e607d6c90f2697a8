/** Who a client has proved to be, and in which namespace the names that it uses are looked up. */
export interface Identity {
  /** Kafka's principal: `User` and `alice` in `User:alice`. */
  readonly type: string;
  readonly name: string;
  readonly namespace: string;
}

export const ANONYMOUS = 'ANONYMOUS';

export function userIdentity(name: string, namespace = ''): Identity {
  return { type: 'User', name, namespace };
}

/** As Kafka's tools write it: `User:alice`. */
export function principalText({ name, type }: Identity): string {
  return `${type}:${name}`;
}

export function isSamePrincipal(a: Identity, b: Identity): boolean {
  return a.type === b.type && a.name === b.name && a.namespace === b.namespace;
}
