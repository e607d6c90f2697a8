/** Changes of configs: what AlterConfigs, which replaces all of them, and IncrementalAlterConfigs share. */
import { errorCode, type ErrorName } from '../wire/index.ts';
import { nameOf } from './answers.ts';
import { type RequestContext, topicFor, topicName } from './handler.ts';
import { CLUSTER_NAME } from './security/acl.ts';
import { topicConfigDefect } from './topic-configs.ts';

/** Kafka's numbers of what has configs. */
export const RESOURCE = { topic: 2, broker: 4 } as const;

export interface Altered {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly resourceType: number;
  readonly resourceName: string;
}

type Refusal = readonly [ErrorName, string];
type Configs = ReadonlyMap<string, string>;
/** The configs as they are to be, or what is wrong with the wish. */
export type Change = (configs: Configs) => Configs | Refusal;

interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** One answer for each resource; one that is named twice is refused each time, as nobody knows which is meant. */
export function alterAll<R extends Resource>(
  context: RequestContext,
  resources: readonly R[],
  isTrial: boolean,
  changeOf: (resource: R) => Change,
): Promise<Altered[]> {
  const keyOf = ({ resourceName, resourceType }: Resource): string => `${resourceType} ${resourceName}`;
  const counts = new Map<string, number>();
  for (const resource of resources) counts.set(keyOf(resource), (counts.get(keyOf(resource)) ?? 0) + 1);
  return Promise.all(
    resources.map(async resource => {
      const { resourceName, resourceType } = resource;
      const isRepeated = counts.get(keyOf(resource))! > 1;
      const refusal: Refusal | undefined = isRepeated
        ? ['INVALID_REQUEST', `${resourceName} is named twice`]
        : await alter(context, resource, isTrial, changeOf(resource));
      const [name, errorMessage] = refusal ?? (['NONE', null] as const);
      return { errorCode: errorCode(name), errorMessage, resourceType, resourceName };
    }),
  );
}

async function alter(
  context: RequestContext,
  { resourceName, resourceType }: Resource,
  isTrial: boolean,
  change: Change,
): Promise<Refusal | undefined> {
  if (resourceType === RESOURCE.broker) {
    if (!context.may('ALTER_CONFIGS', 'CLUSTER', CLUSTER_NAME))
      return ['CLUSTER_AUTHORIZATION_FAILED', 'not allowed to alter the configs of the broker'];
    return ['INVALID_REQUEST', 'the broker’s configs are those of millrace.yaml; change them there and start it again'];
  }
  if (resourceType !== RESOURCE.topic) return ['INVALID_REQUEST', `resources of type ${resourceType} have no configs`];
  if (!context.may('ALTER_CONFIGS', 'TOPIC', topicName(context, resourceName)))
    return ['TOPIC_AUTHORIZATION_FAILED', `not allowed to alter the configs of ${resourceName}`];
  const topic = topicFor(context, resourceName);
  if (!topic) return ['UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${resourceName}`];
  if (topic.isInternal) return ['TOPIC_AUTHORIZATION_FAILED', 'internal topics are Millrace’s own'];
  let refusal: Refusal | undefined;
  const next = (configs: Configs): Configs => {
    const wanted = checked(change(configs));
    if (Array.isArray(wanted)) refusal = wanted as unknown as Refusal;
    return isTrial || refusal ? configs : (wanted as Configs);
  };
  try {
    if (isTrial) next(topic.configs);
    else await context.log.changeConfigs(topic, next);
    return refusal;
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    return [nameOf(context, error, ['UNKNOWN_TOPIC_OR_PARTITION', 'KAFKA_STORAGE_ERROR']), reason];
  }
}

function checked(wanted: Configs | Refusal): Configs | Refusal {
  if (!(wanted instanceof Map)) return wanted;
  for (const [name, value] of wanted as Configs) {
    const defect = topicConfigDefect(name, value);
    if (defect) return ['INVALID_CONFIG', defect];
  }
  return wanted;
}
