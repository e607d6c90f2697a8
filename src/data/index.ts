/** Front door of `data`: values and types of events, batches, columns, JSON. */
export { BATCH_EVENTS_MAX, ChunkBatch, EventBatch } from './batch.ts';
export { ByteStore, type Origins, type Owner, storeOf } from './byte-store.ts';
export { Column, Columns, type Path, TAG } from './column.ts';
export { type CompareOptions, type Comparison, type Constant, VERDICT, type Verdicts } from './comparison.ts';
export { decodeValue, encodeValue, keyOf } from './encoding.ts';
export { inferText } from './infer.ts';
export { documentEnd, findDefect, JSON_DEPTH_MAX, type JsonReading, parseJson, parseJsonText } from './json.ts';
export { type JsonStyle, printJson, printTql, type TqlStyle } from './print.ts';
export { type Defect, ReferenceScanner, type Scanner, type ScanResult } from './reference-scanner.ts';
export { compareColumn, registerArena, scanDocuments, scannerFor } from './scan.ts';
export { JsonScanner } from './scanner.ts';
export {
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
  type Change,
  compare,
  Duration,
  equals,
  Ip,
  type ListValue,
  rememberTexts,
  RecordValue,
  Secret,
  Subnet,
  textsOf,
  Time,
  type TypeName,
  typeOf,
  type Value,
} from './value.ts';
