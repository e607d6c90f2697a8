/** Errors of what pipelines get from the process: MR103x. */
import { defineErrors } from '../../base/index.ts';

export const serviceErrors = defineErrors({
  noTopic: {
    code: 'MR1030',
    text: 'topic {topic} does not exist{hint}',
    exit: 4,
    help: 'Create it (`millrace topics create`), or allow pipelines to by `kafka.auto_create_topics: true`.',
  },
});
