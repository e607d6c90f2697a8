/** Front door of `testing`: the public test kit. */
export { startTestBroker, type TestBroker } from './broker.ts';
export { memoryCheckpoints, type PipelineRun, runPipeline } from './pipeline.ts';
