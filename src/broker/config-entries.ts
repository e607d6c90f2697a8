/** Configs as DescribeConfigs and CreateTopics print them: every known key with value, source, type and text. */
import { TOPIC_CONFIGS } from './topic-configs.ts';

const SOURCE_TOPIC = 1;
const SOURCE_DEFAULT = 5;

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly isDefault: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  readonly configType: number;
  readonly documentation: string;
}

export function describeConfigs(configs: ReadonlyMap<string, string>): ConfigEntry[] {
  return TOPIC_CONFIGS.map(config => ({
    name: config.name,
    value: configs.get(config.name) ?? config.default,
    readOnly: false,
    isDefault: !configs.has(config.name),
    configSource: configs.has(config.name) ? SOURCE_TOPIC : SOURCE_DEFAULT,
    isSensitive: false,
    configType: config.type,
    documentation: config.doc,
  }));
}
