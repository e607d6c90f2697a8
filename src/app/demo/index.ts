/** Front door of the demo. */
export { Demo, DEMO_TOKEN, DEMO_TOPIC, FAULT_MS, FAULT_PERIOD_MS } from './demo.ts';
export { HecReceiver } from './hec-receiver.ts';
export { demoPipelines } from './pipelines.ts';
