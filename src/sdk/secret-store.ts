/** `defineSecretStore`: where `secret("store:key")` finds the text of a secret. Asked when a pipeline starts, in its thread. */
import type { FileSystem } from '../base/index.ts';

/** What stores read from. */
export interface SecretSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: Pick<FileSystem, 'open'>;
}

export interface SecretStoreDefinition {
  /** What stands before the colon. */
  readonly name: string;
  readonly summary: string;
  /** Undefined when the store does not have it. */
  readonly get: (key: string, sources: SecretSources) => string | undefined;
}

export function defineSecretStore(definition: SecretStoreDefinition): SecretStoreDefinition {
  return definition;
}
