/** Front door of `app`: the process and its configuration. The demo has a door of its own. */
export { App, type AppParts } from './app.ts';
export { checkPipelines, type Finding } from './check.ts';
export { findConfig, type LoadedConfig, loadConfig, type PipelineText, readConfig } from './config/load.ts';
export { type Config, configJsonSchema } from './config/schema.ts';
export { controlPath } from './control.ts';
export { appErrors } from './errors.ts';
export type { TotalLine } from './ledgers.ts';
export type { PipelineReport } from './pipelines.ts';
export { VERSION } from './version.ts';
