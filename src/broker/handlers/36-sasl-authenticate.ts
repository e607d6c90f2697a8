/**
 * SaslAuthenticate.
 *
 * Versions: 0 to 2.
 * Behaviour: one message of the mechanism. A refusal is 58 with a text for the user, late, and the end. The lifetime of the
 *   session is the listener's limit or the rest of the token's, 0 for none; behind its end the connection takes nothing but
 *   a handshake. Who renews as somebody else is refused.
 * Not done: nothing.
 * Versions differ: the lifetime is told from 1 on.
 */
import { apis } from '../../wire/index.ts';
import { defineHandler, LastAnswer } from '../handler.ts';

export default defineHandler({
  api: apis.saslAuthenticate,
  min: 0,
  max: 2,
  async handle(context, request) {
    const { answer, isLast } = await context.authentication.authenticate(request.authBytes, context.version);
    return isLast ? new LastAnswer(answer) : answer;
  },
});
