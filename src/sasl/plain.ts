/**
 * PLAIN (RFC 4616): one message, the password as it is. Only TLS keeps it from who listens on the way.
 *
 *   message = [authzid] NUL authcid NUL password      UTF-8; authzid empty or the same as authcid
 *
 * Deliberately not done: SASLprep. Kafka's clients and servers compare the bytes as they are typed.
 */
import { saslErrors } from './errors.ts';
import { invalidCredentials, NO_BYTES, type SaslMechanism, type SaslStep, utf8 } from './mechanism.ts';

const NAME = 'PLAIN';

export const plain: SaslMechanism = {
  name: NAME,

  client({ password, username }) {
    if (username === undefined) throw saslErrors.missingCredentials({ mechanism: NAME, what: 'sasl.username' });
    if (password === undefined) throw saslErrors.missingCredentials({ mechanism: NAME, what: 'sasl.password' });
    let isSent = false;
    return {
      step: async challenge => {
        if (isSent) {
          if (challenge && challenge.length > 0)
            throw saslErrors.malformed({ mechanism: NAME, reason: 'the server has something to say behind it' });
          return undefined;
        }
        isSent = true;
        return Buffer.from(`\0${username}\0${password}`);
      },
    };
  },

  server(authority) {
    let isOver = false;
    return {
      step: async (message): Promise<SaslStep<never>> => {
        const malformed = (reason: string): SaslStep<never> => ({
          kind: 'failed',
          bytes: NO_BYTES,
          error: saslErrors.malformed({ mechanism: NAME, reason }),
          message: `Authentication failed: ${reason}`,
        });
        if (isOver) return malformed('a message behind the only one');
        isOver = true;
        const parts = utf8(message)?.split('\0');
        if (!parts) return malformed('the message is not UTF-8');
        if (parts.length !== 3) return malformed('the message is not authzid NUL user NUL password');
        const [authzid, username, password] = parts as [string, string, string];
        if (username === '') return malformed('the user name is empty');
        if (password === '') return malformed('the password is empty');
        const verdict = authority.verifyPassword(username, password);
        if (verdict.kind === 'refused') return { ...verdict, kind: 'failed', bytes: NO_BYTES };
        if (authzid !== '' && authzid !== username) {
          return {
            kind: 'failed',
            bytes: NO_BYTES,
            error: saslErrors.refused({ mechanism: NAME, who: username, reason: `it asked to act as ${authzid}` }),
            message: invalidCredentials(NAME),
          };
        }
        return { ...verdict, kind: 'done', bytes: NO_BYTES } as SaslStep<never>;
      },
    };
  },
};
