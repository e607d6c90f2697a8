/** Front door of `data`: values and types of events, batches, columns, JSON. */
export { BATCH_EVENTS_MAX, ByteStore, ChunkBatch, EventBatch, type Origins, type Owner, storeOf } from './batch.ts';
export { documentEnd, findDefect, JSON_DEPTH_MAX, parseJson, parseJsonText } from './json.ts';
export { type JsonStyle, printJson, printTql, type TqlStyle } from './print.ts';
export { Column, Columns, type Defect, scanDocuments, TAG } from './scan.ts';
export {
  durationUnit,
  printDuration,
  printFloat,
  printIp,
  printSubnet,
  printTime,
  readDuration,
  readIp,
  readSubnet,
  readTime,
} from './text.ts';
export {
  Blob,
  compare,
  Duration,
  equals,
  Ip,
  type ListValue,
  RecordValue,
  Secret,
  Subnet,
  Time,
  type TypeName,
  typeOf,
  type Value,
} from './value.ts';
