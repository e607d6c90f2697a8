/**
 * OAUTHBEARER (RFC 7628): a bearer token and, when it is refused, the reason as JSON before the failure.
 *
 *   client   gs2-header "," ^A "auth=Bearer " token ^A [key "=" value ^A …] ^A        ^A is the byte 01
 *   server   nothing: taken          { "status": …, "scope": … }: refused
 *   client                           ^A, and the server ends the exchange with a failure
 *
 * Extensions (KIP-342) are checked for their form and otherwise ignored.
 */
import { saslErrors } from './errors.ts';
import { NO_BYTES, type SaslMechanism, type SaslStep, utf8, type Verdict } from './mechanism.ts';

const NAME = 'OAUTHBEARER';
const FIRST = /^n,(?:a=([^,]*))?,\x01((?:[A-Za-z]+=[\x20-\x7e\t\r\n]*\x01)+)\x01$/;
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
const EXTENSION_NAME = /^(?!auth$)[A-Za-z]+$/;
const EXTENSION_VALUE = /^[\x20-\x7e\t\r\n]*$/;
const CONTROL_A = Buffer.from('\x01');

export const oauthbearer: SaslMechanism = {
  name: NAME,

  client({ extensions = [], tokens }) {
    if (!tokens)
      throw saslErrors.missingCredentials({
        mechanism: NAME,
        what: 'a token: sasl.oauthbearer.token, sasl.oauthbearer.token.location or sasl.oauthbearer.method=oidc',
      });
    const wrong = extensions.find(([name, value]) => !EXTENSION_NAME.test(name) || !EXTENSION_VALUE.test(value));
    if (wrong)
      throw saslErrors.malformed({
        mechanism: NAME,
        reason: `the extension ${wrong[0]} has letters only, and printable text`,
      });
    let state: 'begin' | 'sent' | 'refused' = 'begin';
    let refusal = '';
    return {
      step: async challenge => {
        if (state === 'begin') {
          state = 'sent';
          const more = extensions.map(([name, value]) => `${name}=${value}\x01`).join('');
          return Buffer.from(`n,,\x01auth=Bearer ${await tokens.token()}\x01${more}\x01`);
        }
        const text = challenge === undefined ? '' : utf8(challenge)?.slice(0, 1_000);
        if (state === 'sent' && text === '') return undefined;
        if (state === 'refused') throw saslErrors.rejected({ mechanism: NAME, reason: refusal });
        state = 'refused';
        refusal = text ?? 'bytes that are not UTF-8';
        return CONTROL_A;
      },
    };
  },

  server<I>(authority: { verifyToken(token: string): Promise<Verdict<I>> }) {
    let state: 'first' | 'refused' | 'over' = 'first';
    let failure: SaslStep<I> | undefined;
    const malformed = (reason: string): SaslStep<I> => {
      state = 'over';
      const error = saslErrors.malformed({ mechanism: NAME, reason });
      return { kind: 'failed', bytes: NO_BYTES, error, message: `Authentication failed: ${reason}` };
    };
    return {
      step: async (message): Promise<SaslStep<I>> => {
        if (state === 'refused') {
          state = 'over';
          return failure!;
        }
        if (state === 'over') return malformed('a message behind the last one');
        const match = FIRST.exec(utf8(message) ?? '');
        if (!match) return malformed('the message is not a GS2 header, a token and extensions');
        const pairs = match[2]!.split('\x01').slice(0, -1).map(splitPair);
        const bearers = pairs.filter(([key]) => key === 'auth').map(([, value]) => BEARER.exec(value)?.[1]);
        const [token] = bearers;
        if (bearers.length !== 1 || token === undefined) return malformed('there is not exactly one bearer token');
        const verdict = await authority.verifyToken(token);
        if (verdict.kind === 'proved') {
          state = 'over';
          return { ...verdict, kind: 'done', bytes: NO_BYTES };
        }
        state = 'refused';
        failure = { ...verdict, kind: 'failed', bytes: NO_BYTES };
        return { kind: 'challenge', bytes: Buffer.from(JSON.stringify({ status: 'invalid_token' })) };
      },
    };
  },
};

function splitPair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
