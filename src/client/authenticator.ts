/**
 * Proving who we are to a broker: the handshake names a mechanism, then messages go to and fro until both sides are content.
 *
 *   broker has SaslAuthenticate   handshake 1, then SaslAuthenticate requests; the broker says how long the proof holds
 *   older ones                    handshake 0, then bare tokens behind their lengths
 */
import type { Random } from '../base/index.ts';
import { type ClientCredentials, mechanismOf, saslErrors } from '../sasl/index.ts';
import { apis, errorCode, errorName } from '../wire/index.ts';
import type { Authenticate, AuthenticationExchange } from './connection.ts';

export interface SaslSettings {
  readonly mechanism: string;
  readonly credentials: ClientCredentials;
}

/** Throws MR4107 when the mechanism misses something. */
export function saslAuthenticate({ credentials, mechanism }: SaslSettings, random: Random): Authenticate {
  const { client } = mechanismOf(mechanism);
  // Said at once, not at the first connection.
  client(credentials, random);
  return async exchange => {
    const hasFrames = exchange.speaks(apis.saslAuthenticate);
    await shakeHands(exchange, mechanism, hasFrames ? 1 : 0);
    const half = client(credentials, random);
    let lifetimeMs = 0;
    let message = await half.step(undefined);
    while (message !== undefined) {
      if (hasFrames) {
        const answer = await exchange.request(apis.saslAuthenticate, { authBytes: message });
        if (answer.errorCode !== 0) {
          const reason = answer.errorMessage ?? errorName(answer.errorCode);
          // What the mechanism says of it is worth more than the broker's text only when it is the mechanism that failed.
          throw saslErrors.rejected({ mechanism, reason });
        }
        lifetimeMs = answer.sessionLifetimeMs;
        message = await half.step(answer.authBytes);
      } else message = await half.step(await exchange.token(message));
    }
    return lifetimeMs;
  };
}

async function shakeHands(exchange: AuthenticationExchange, mechanism: string, version: number): Promise<void> {
  const answer = await exchange.request(apis.saslHandshake, { mechanism }, { cap: version });
  if (answer.errorCode === errorCode('UNSUPPORTED_SASL_MECHANISM'))
    throw saslErrors.noSuchMechanism({ mechanism, known: answer.mechanisms.join(', ') || 'none' });
  if (answer.errorCode !== 0) throw saslErrors.rejected({ mechanism, reason: errorName(answer.errorCode) });
}
