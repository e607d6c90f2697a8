/** Both halves of a mechanism against each other, and an authority that knows a few users. For tests. */
import { type Io, SeededRandom } from '../base/index.ts';
import type { ClientCredentials, SaslAuthority, SaslMechanism, SaslStep, ScramCredential } from './mechanism.ts';

export const random = new SeededRandom(7);

/** A clock that stands, files that are named, an HTTP server that is a function. */
export function standingIo(parts: {
  readonly nowMs?: () => number;
  readonly files?: ReadonlyMap<string, string>;
  readonly request?: Io['network']['request'];
}): Io {
  const now = parts.nowMs ?? (() => 0);
  const io: Partial<Io> = {
    random,
    clock: { now, monotonic: now, after: () => ({ cancel: () => undefined }) },
    files: {
      readFile: (path: string) => {
        const text = parts.files?.get(path);
        if (text === undefined) throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
        return Buffer.from(text);
      },
    } as unknown as Io['files'],
    network: { request: parts.request } as Io['network'],
  };
  return io as Io;
}

export interface Exchange {
  readonly messages: string[];
  readonly result: SaslStep<string> | undefined;
}

/** Lets the halves talk until one ends; `tamper` may change what the server gets to see or say. */
export async function exchange(
  mechanism: SaslMechanism,
  credentials: ClientCredentials,
  authority: SaslAuthority<string>,
  tamper: (message: string, from: 'client' | 'server') => string = message => message,
): Promise<Exchange> {
  const client = mechanism.client(credentials, random);
  const server = mechanism.server(authority, random);
  const messages: string[] = [];
  let challenge: Uint8Array | undefined;
  let result: SaslStep<string> | undefined;
  for (;;) {
    const said = await client.step(challenge);
    if (said === undefined) return { messages, result };
    const sent = tamper(Buffer.from(said).toString(), 'client');
    messages.push(sent);
    result = await server.step(Buffer.from(sent));
    if (result.kind === 'failed') return { messages, result };
    const answer = tamper(Buffer.from(result.bytes).toString(), 'server');
    messages.push(answer);
    challenge = Buffer.from(answer);
  }
}

export function authorityOf(
  parts: Partial<SaslAuthority<string>> & { scram?: Map<string, ScramCredential> },
): SaslAuthority<string> {
  return {
    verifyPassword: () => {
      throw new Error('no passwords here');
    },
    scramCredential: (username, mechanism) => {
      const credential = parts.scram?.get(`${username} ${mechanism}`);
      return credential && { credential, identity: username };
    },
    verifyToken: () => Promise.reject(new Error('no tokens here')),
    ...parts,
  };
}
