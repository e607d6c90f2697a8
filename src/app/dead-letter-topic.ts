/** Where dead letters go unless a pipeline names another topic. */
export const DEAD_LETTER_TOPIC = '__millrace_dead_letters';
