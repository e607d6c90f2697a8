/** TQL: from text to plan. */
export { type CompileOptions, compileTql } from './lower.ts';
export { parse, type Program } from './parser.ts';
