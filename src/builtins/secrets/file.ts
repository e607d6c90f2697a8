/** `secret("file:/run/secrets/token")`: the content of a file without its last line end. */
import { systemCode, systemReason } from '../../base/index.ts';
import { defineSecretStore, type SecretSources } from '../../sdk/index.ts';
import { secretErrors } from './errors.ts';

const BYTES_MAX = 64 * 1024;

export default defineSecretStore({
  name: 'file',
  summary: 'The content of a file without its last line end.',
  get: (path, { files }) => {
    const bytes = read(path, files);
    return (
      bytes &&
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/\r?\n$/, '')
    );
  },
});

function read(path: string, files: SecretSources['files']): Uint8Array | undefined {
  // One byte more than is allowed tells that there is more; a device would never end.
  const target = new Uint8Array(BYTES_MAX + 1);
  let length = 0;
  try {
    const file = files.open(path, 'read');
    try {
      for (let count = -1; count !== 0 && length < target.length; length += count)
        count = file.read(target, length, target.length - length, length);
    } finally {
      file.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw secretErrors.unreadable({ path, reason: systemReason(error), limit: BYTES_MAX }, error);
  }
  if (length > BYTES_MAX) throw secretErrors.unreadable({ path, reason: 'it is too long', limit: BYTES_MAX });
  return target.subarray(0, length);
}
