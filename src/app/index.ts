/** Front door of `app`: the process, its configuration, the demo. */
export { App, type AppParts, controlPath, type PipelineText } from './app.ts';
export { type Config, configJsonSchema, parseConfig } from './config.ts';
export { appErrors } from './errors.ts';
export { VERSION } from './version.ts';
export { Demo, DEMO_TOKEN, DEMO_TOPIC, DEMO_TOPIC_CONFIGS } from './demo/demo.ts';
export { HecReceiver } from './demo/hec-receiver.ts';
export { demoPipelines } from './demo/pipelines.ts';
