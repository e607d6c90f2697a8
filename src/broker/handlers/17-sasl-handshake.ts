/**
 * SaslHandshake.
 *
 * Versions: 0 and 1.
 * Behaviour: chooses the mechanism; behind version 0 come bare tokens, behind version 1 SaslAuthenticate. An unknown mechanism
 *   is 33 with those that there are, and the end. Again on a connection that is open: the client renews its proof. Out of turn,
 *   or on a listener without SASL: 34.
 * Not done: nothing.
 * Versions differ: in what follows.
 */
import { apis } from '../../wire/index.ts';
import { defineHandler, LastAnswer } from '../handler.ts';

export default defineHandler({
  api: apis.saslHandshake,
  min: 0,
  max: 1,
  async handle(context, request) {
    const { answer, isLast } = await context.authentication.handshake(request.mechanism, context.version);
    return isLast ? new LastAnswer(answer) : answer;
  },
});
