/**
 * TQL's parser: recursive descent over tokens, precedence climbing for expressions (spec of TQL, section 3).
 *
 *   postfix > unary + - > * / > + - > comparisons, in, not in > not, move > and > or > a if c > a else b
 *
 * `move` takes a field and nothing else, so it ends behind one: `move a + 1` adds to what was moved.
 *
 * It never throws past `parse`: a statement that does not parse gives one diagnostic and stands in the tree as `bad`, and
 * reading goes on behind it (`brackets.ts`). What stands before a body in braces, and each arm of a `match`, is recovered
 * from by itself. So several errors of a text are reported; none hides the rest, and none is told twice: a statement in
 * which the lexer found something wrong is not blamed again.
 *
 * Invariants
 * I1 every call consumes a token or reports and skips: parsing ends, in time linear in the text.
 * I2 nesting is bounded by `DEPTH_MAX`, the height of an expression by `HEIGHT_MAX`: whoever walks the tree recursively may.
 */
import type { Diagnostic, Label, Span } from '../../base/index.ts';
import { Duration } from '../../data/index.ts';
import type { SourceText } from '../source.ts';
import type {
  Argument,
  Arm,
  BinaryOperator,
  Expression,
  Item,
  Pattern,
  Pipeline,
  RecordField,
  Statement,
} from './ast.ts';
import { Brackets } from './brackets.ts';
import { readDirectives } from './directives.ts';
import { diagnose, type TextName } from './errors.ts';
import { lex, type Token } from './lexer.ts';

export const DEPTH_MAX = 200;
/** Longer texts are not programs. */
const TEXT_LENGTH_MAX = 4 * 1024 * 1024;
/** Operators of a chain such as `1 + 1 + …` stand inside each other; long chains of `and` and `or` are balanced instead. */
const HEIGHT_MAX = 1_000;
const BALANCED_FROM = 100;
/** Characters of a token that a message repeats. */
const SHOWN_MAX = 60;

const KEYWORDS = new Set([
  'and',
  'or',
  'not',
  'in',
  'if',
  'else',
  'let',
  'match',
  'true',
  'false',
  'null',
  'this',
  'move',
]);

/** Words that later versions of the language may give a meaning. */
const RESERVED: ReadonlySet<string> = new Set(
  'self is as use return def function fn pipeline meta super for while mod module'.split(' '),
);

const BINARY_LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['*', '/'],
  ['+', '-'],
  ['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'],
];

export interface Program {
  readonly pipeline: Pipeline;
  /** Span of the YAML text between the `---` lines. */
  readonly frontMatter: Span | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** The same value as from left to right, since `and` and `or` are associative. */
function balanced(
  operands: readonly Expression[],
  join: (left: Expression, right: Expression) => Expression,
): Expression {
  if (operands.length === 1) return operands[0]!;
  const half = operands.length >>> 1;
  return join(balanced(operands.slice(0, half), join), balanced(operands.slice(half), join));
}

/** Ends the statement that is being read; caught where reading can go on. */
class Abandon extends Error {}

export function parse(source: SourceText): Program {
  const { text } = source;
  let start = text.startsWith('#!') ? lineEnd(text, 0) : 0;
  let frontMatter: Span | undefined;
  const diagnostics: Diagnostic[] = [];
  if (/^---[ \t\r]*\n/.test(text.slice(start))) {
    const from = lineEnd(text, start);
    const close = /^---[ \t\r]*$/m.exec(text.slice(from));
    if (close) {
      frontMatter = { start: from, end: from + close.index };
      start = lineEnd(text, from + close.index);
    } else {
      diagnostics.push(diagnose('frontMatter', { start, end: start + 3 }));
      start = from;
    }
  }
  if (source.invalidAt !== undefined) {
    const at = source.invalidAt;
    diagnostics.push(diagnose('invalidUtf8', { start: at, end: at + 1 }));
  }
  if (text.length > TEXT_LENGTH_MAX) {
    diagnostics.push(diagnose('tooLong', { start: 0, end: 1 }, { limit: TEXT_LENGTH_MAX }));
    return { pipeline: { statements: [], span: { start, end: start } }, frontMatter, diagnostics };
  }
  diagnostics.push(...readDirectives(text, start));
  const { diagnostics: lexical, tokens } = lex(text, start);
  const parser = new Parser({ text, lexical, diagnostics }, tokens);
  const pipeline = parser.program();
  // What stands for a byte that is no UTF-8 is told by that.
  const isTold = (span: Span | undefined): boolean => source.invalidAt !== undefined && text[span!.start] === '\ufffd';
  diagnostics.push(...lexical.filter(({ span }) => !isTold(span)));
  diagnostics.sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
  return { pipeline, frontMatter, diagnostics };
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at < 0 ? text.length : at + 1;
}

/** What the parsers of a text and of the expressions in its format strings share. */
interface Text {
  readonly text: string;
  /** What the lexer found, by place. */
  readonly lexical: readonly Diagnostic[];
  readonly diagnostics: Diagnostic[];
}

class Parser {
  private readonly source: Text;
  private readonly tokens: readonly Token[];
  private readonly brackets: Brackets;
  private at = 0;
  private depth = 0;
  /** Of the expression that was read last. */
  private height = 0;
  /** Where the statement that is being read begins in the text. */
  private statementStart = 0;
  /** The variable that it binds. */
  private binds: string | undefined;
  /** What the lexer found in statements inside it. */
  private lexicalErrors = 0;
  /** Inside a match guard `=>` belongs to the arm. */
  private noLambda = false;
  /** Inside a pattern `..` stands for what else there is. */
  private inPattern = false;
  private hasRest = false;

  constructor(source: Text, tokens: readonly Token[]) {
    this.source = source;
    this.tokens = tokens;
    this.brackets = new Brackets(tokens);
  }

  program(): Pipeline {
    return this.pipeline(() => this.is('end'));
  }

  /** One expression that fills the tokens, for format strings. */
  wholeExpression(): Expression {
    try {
      this.skipNewlines();
      const value = this.expression();
      this.skipNewlines();
      if (!this.is('end')) this.unexpected('the end of the expression');
      return value;
    } catch (error) {
      if (!(error instanceof Abandon)) throw error;
      return { kind: 'bad', span: this.token.span };
    }
  }

  private pipeline(isEnd: () => boolean): Pipeline {
    const statements: Statement[] = [];
    const start = this.token.span.start;
    for (;;) {
      while (this.is('newline') || this.isSymbol('|')) this.at++;
      if (isEnd() || this.is('end')) break;
      statements.push(this.recoverable(isEnd));
    }
    return { statements, span: { start, end: this.tokens[Math.max(0, this.at - 1)]!.span.end } };
  }

  /** A statement with what ends it, or `bad` in its place. */
  private recoverable(isEnd: () => boolean): Statement {
    const from = this.at;
    const outer = { start: this.statementStart, binds: this.binds, lexicalErrors: this.lexicalErrors };
    const { start } = this.token.span;
    this.statementStart = start;
    this.binds = undefined;
    this.lexicalErrors = 0;
    try {
      const statement = this.statement();
      const isSeparated = this.is('newline') || this.isSymbol('|') || this.is('end') || isEnd();
      if (!isSeparated) this.unexpected('a newline or `|`');
      // Those of statements inside it are theirs.
      const isBroken = this.lexicalErrorsIn(start, this.token.span.start) > this.lexicalErrors;
      return isBroken ? { kind: 'bad', binds: this.binds, span: statement.span } : statement;
    } catch (error) {
      if (!(error instanceof Abandon)) throw error;
      const { binds } = this;
      this.recover(from, ({ kind, text }) => kind === 'newline' || (kind === 'symbol' && text === '|'));
      return { kind: 'bad', binds, span: { start, end: this.previousEnd() } };
    } finally {
      this.statementStart = outer.start;
      this.binds = outer.binds;
      this.lexicalErrors = outer.lexicalErrors + this.lexicalErrorsIn(start, this.token.span.start);
    }
  }

  private recover(from: number, ends: (token: Token) => boolean): void {
    this.noLambda = false;
    this.inPattern = false;
    this.at = Math.max(from + 1, this.brackets.behind(from, this.at, ends));
  }

  /** What stands before a body: an error in it does not keep the body from being read. */
  private beforeBody(read: () => Expression): Expression {
    const from = this.at;
    try {
      const value = read();
      if (!this.isSymbol('{')) this.unexpected('`{`');
      return value;
    } catch (error) {
      const body = error instanceof Abandon ? this.brackets.bodyBehind(from, this.at) : undefined;
      if (body === undefined) throw error;
      this.noLambda = false;
      this.at = body;
      return { kind: 'bad', span: this.tokens[from]!.span };
    }
  }

  private statement(): Statement {
    return this.nested(() => {
      const { span } = this.token;
      if (this.isName('let')) return this.letStatement();
      if (this.isName('if')) return this.ifStatement();
      if (this.isName('match')) return this.matchStatement();
      if (this.is('meta') || this.isName('this')) return this.assignmentStatement();
      // `move` is a word of expressions, and an operator where a statement begins.
      if (this.isName('move')) return this.operatorStatement();
      if (!this.is('name') || KEYWORDS.has(this.token.text)) {
        if (this.is('variable')) return this.assignmentStatement();
        this.unexpected('a statement');
      }
      const next = this.tokens[this.at + 1]!;
      const isAdjacent = next.span.start === span.end;
      if (isAdjacent && this.isMethodBehind(this.at + 1)) this.abandon('methodStatement', this.postfix().span);
      const isPlace =
        next.kind === 'symbol' &&
        (next.text === '=' || next.text === '.' || next.text === '?' || (next.text === '[' && isAdjacent));
      return isPlace ? this.assignmentStatement() : this.operatorStatement();
    });
  }

  /** `f(x).g()`: a call's parenthesis with a `.` behind it. */
  private isMethodBehind(index: number): boolean {
    if (this.tokens[index]?.text !== '(') return false;
    const close = this.brackets.closing(index);
    return close !== undefined && this.tokens[close + 1]?.kind === 'symbol' && this.tokens[close + 1]?.text === '.';
  }

  private letStatement(): Statement {
    const start = this.advance().span.start;
    if (!this.is('variable')) this.unexpected('a variable such as `$name`');
    const name = this.advance();
    this.binds = name.text;
    this.expect('=');
    this.skipNewlines();
    const value = this.expression();
    return { kind: 'let', name: name.text, nameSpan: name.span, value, span: { start, end: value.span.end } };
  }

  private ifStatement(): Statement {
    const start = this.advance().span.start;
    const condition = this.beforeBody(() => {
      if (this.isSymbol('{')) this.unexpected('a condition');
      return this.expression();
    });
    const then = this.block();
    let end = this.previousEnd();
    let otherwise: Pipeline | undefined;
    const mark = this.at;
    this.skipNewlines();
    if (this.isName('else')) {
      this.at++;
      if (this.isName('if')) {
        const inner = this.nested(() => this.ifStatement());
        otherwise = { statements: [inner], span: inner.span };
      } else {
        this.beforeBody(() => ({ kind: 'bad', span: this.token.span }));
        otherwise = this.block();
      }
      end = this.previousEnd();
    } else this.at = mark;
    return { kind: 'if', condition, then, otherwise, span: { start, end } };
  }

  private matchStatement(): Statement {
    const start = this.advance().span.start;
    const subject = this.beforeBody(() => this.expression());
    const opening = this.at;
    this.expect('{');
    const arms: Arm[] = [];
    let isWhole = true;
    for (;;) {
      while (this.is('newline') || this.isSymbol(',')) this.at++;
      if (this.isSymbol('}') || this.is('end')) break;
      const from = this.at;
      try {
        arms.push(this.arm());
      } catch (error) {
        if (!(error instanceof Abandon)) throw error;
        this.recover(from, ({ kind, text }) => kind === 'newline' || (kind === 'symbol' && text === ','));
        isWhole = false;
      }
    }
    this.close('}', opening);
    return { kind: 'match', subject, arms, isWhole, span: { start, end: this.previousEnd() } };
  }

  private arm(): Arm {
    const { start } = this.token.span;
    const patterns = [this.pattern()];
    while (this.isSymbol('|')) {
      this.at++;
      patterns.push(this.pattern());
    }
    let guard: Expression | undefined;
    if (this.isName('if')) {
      this.at++;
      const before = this.noLambda;
      this.noLambda = true;
      guard = this.expression();
      this.noLambda = before;
    }
    this.expect('=>');
    const body = this.block();
    return { patterns, guard, body, span: { start, end: this.previousEnd() } };
  }

  private pattern(): Pattern {
    const { span } = this.token;
    if (this.isName('_')) {
      this.at++;
      return { kind: 'any', span };
    }
    this.inPattern = true;
    this.hasRest = false;
    const low = this.binary(BINARY_LEVELS.length - 1);
    const isRange = this.isSymbol('..');
    if (isRange) this.at++;
    const high = isRange ? this.binary(BINARY_LEVELS.length - 1) : undefined;
    this.inPattern = false;
    if (!high) return { kind: this.hasRest ? 'shape' : 'value', value: low, span: low.span };
    return { kind: 'range', low, high, span: { start: span.start, end: high.span.end } };
  }

  private block(): Pipeline {
    const opening = this.at;
    this.expect('{');
    const pipeline = this.pipeline(() => this.isSymbol('}'));
    this.close('}', opening);
    return pipeline;
  }

  private assignmentStatement(): Statement {
    const target = this.postfix();
    if (target.kind === 'method') this.abandon('methodStatement', target.span);
    if (!this.isSymbol('=')) this.unexpected('`=`');
    this.at++;
    this.skipNewlines();
    const value = this.expression();
    return { kind: 'assignment', target, value, span: { start: target.span.start, end: value.span.end } };
  }

  private operatorStatement(): Statement {
    const first = this.advance();
    let name = first.text;
    if (!this.isSymbol('::')) this.warnReserved(first);
    while (this.isSymbol('::')) {
      this.at++;
      if (!this.is('name')) this.unexpected('a name');
      name += `::${this.advance().text}`;
    }
    const nameSpan = { start: first.span.start, end: this.previousEnd() };
    const args = this.operatorArguments();
    return { kind: 'operator', name, nameSpan, args, span: { start: nameSpan.start, end: this.previousEnd() } };
  }

  private operatorArguments(): Argument[] {
    const args: Argument[] = [];
    if (this.endsStatement()) return args;
    if (this.isSymbol('(') && this.closesStatement()) return this.parenthesised();
    for (;;) {
      args.push(this.argument());
      if (this.isSymbol(',')) {
        this.at++;
        this.skipNewlines();
        continue;
      }
      // The comma before a final body may be left out.
      if (this.isSymbol('{') && args.length > 0) {
        args.push(this.argument());
      }
      return args;
    }
  }

  /** True when the parenthesis that opens here closes right before the statement's end: it encloses the arguments. */
  private closesStatement(): boolean {
    const close = this.brackets.closing(this.at);
    const next = close === undefined ? undefined : this.tokens[close + 1];
    if (!next) return false;
    const isEnd = next.kind === 'newline' || next.kind === 'end';
    return isEnd || (next.kind === 'symbol' && (next.text === '|' || next.text === '}'));
  }

  private parenthesised(): Argument[] {
    this.expect('(');
    return this.list(')', () => this.argument());
  }

  private argument(): Argument {
    const token = this.token;
    const next = this.tokens[this.at + 1];
    if (token.kind === 'name' && next?.kind === 'symbol' && next.text === '=' && !KEYWORDS.has(token.text)) {
      this.at += 2;
      this.skipNewlines();
      const value = this.expression();
      return { name: token.text, nameSpan: token.span, value, span: { start: token.span.start, end: value.span.end } };
    }
    const value = this.expression();
    if (this.isSymbol('=')) {
      this.at++;
      this.skipNewlines();
      const right = this.expression();
      const span = { start: value.span.start, end: right.span.end };
      return {
        name: undefined,
        nameSpan: undefined,
        value: { kind: 'assignment', target: value, value: right, span },
        span,
      };
    }
    return { name: undefined, nameSpan: undefined, value, span: value.span };
  }

  /** Items up to `close`, commas between, newlines anywhere, a trailing comma allowed. */
  private list<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    const opening = this.at - 1;
    const before = this.noLambda;
    let height = 0;
    this.noLambda = false;
    for (;;) {
      this.skipNewlines();
      if (this.isSymbol(close)) break;
      items.push(item());
      height = Math.max(height, this.height);
      this.skipNewlines();
      if (this.isSymbol(',')) this.at++;
      else if (!this.isSymbol(close)) this.unexpected(`\`,\` or \`${close}\``, opening);
    }
    this.noLambda = before;
    this.at++;
    this.height = height;
    this.rise(0);
    return items;
  }

  expression(): Expression {
    return this.nested(() => {
      const lambda = this.noLambda ? undefined : this.lambda();
      return lambda ?? this.conditional();
    });
  }

  private lambda(): Expression | undefined {
    const start = this.token.span.start;
    const parameters: string[] = [];
    let i = this.at;
    if (this.is('name') && !KEYWORDS.has(this.token.text)) parameters.push(this.tokens[i++]!.text);
    else if (this.isSymbol('(')) {
      i++;
      while (this.tokens[i]?.kind === 'name') {
        parameters.push(this.tokens[i++]!.text);
        if (this.tokens[i]?.text === ',') i++;
      }
      if (this.tokens[i++]?.text !== ')') return undefined;
    } else return undefined;
    if (this.tokens[i]?.kind !== 'symbol' || this.tokens[i]?.text !== '=>') return undefined;
    this.at = i + 1;
    this.skipNewlines();
    const body = this.expression();
    this.rise(0);
    return { kind: 'lambda', parameters, body, span: { start, end: body.span.end } };
  }

  /** `a else b`; right behind an `a if c` the `else` makes one choice of both. */
  private conditional(): Expression {
    let value = this.guarded();
    while (this.continuesWith('else')) {
      const { height } = this;
      this.at++;
      this.skipNewlines();
      const right = this.guarded();
      this.rise(height);
      const span = { start: value.span.start, end: right.span.end };
      // In parentheses a choice begins before what it chooses.
      if (value.kind === 'choose' && !value.otherwise && value.then.span.start === value.span.start)
        value = { ...value, otherwise: right, span };
      else value = { kind: 'fallback', value, fallback: right, span };
    }
    return value;
  }

  /** `a if c`. */
  private guarded(): Expression {
    let value = this.or();
    while (this.isName('if')) {
      const { height } = this;
      this.at++;
      this.skipNewlines();
      const condition = this.or();
      this.rise(height);
      const span = { start: value.span.start, end: condition.span.end };
      value = { kind: 'choose', then: value, condition, otherwise: undefined, span };
    }
    return value;
  }

  /** True at the keyword, or at newlines before it; then the newlines are skipped. A block's `else` stands behind `}`. */
  private continuesWith(keyword: string): boolean {
    let i = this.at;
    while (this.tokens[i]?.kind === 'newline') i++;
    const { kind, text } = this.tokens[i]!;
    const next = this.tokens[i + 1];
    const isBlock = next?.kind === 'symbol' && next.text === '{';
    if (kind !== 'name' || text !== keyword || (isBlock && this.tokens[this.at - 1]?.text === '}')) return false;
    this.at = i;
    return true;
  }

  private or(): Expression {
    return this.chainOf('or', () => this.chainOf('and', () => this.not()));
  }

  private chainOf(operator: 'and' | 'or', operand: () => Expression): Expression {
    const operands = [operand()];
    let { height } = this;
    while (this.isName(operator)) {
      this.at++;
      this.skipNewlines();
      operands.push(operand());
      height = Math.max(height, this.height);
    }
    if (operands.length === 1) return operands[0]!;
    const join = (left: Expression, right: Expression): Expression => {
      const span = { start: left.span.start, end: right.span.end };
      return { kind: 'binary', operator, left, right, span };
    };
    const isLong = operands.length >= BALANCED_FROM;
    this.height = height + (isLong ? Math.ceil(Math.log2(operands.length)) : operands.length) - 1;
    this.rise(0);
    return isLong ? balanced(operands, join) : operands.reduce(join);
  }

  private not(): Expression {
    if (!this.isName('not')) return this.binary(BINARY_LEVELS.length - 1);
    const { start } = this.advance().span;
    const operand = this.nested(() => this.not());
    this.rise(0);
    return { kind: 'unary', operator: 'not', operand, span: { start, end: operand.span.end } };
  }

  private binary(level: number): Expression {
    if (level < 0) return this.unary();
    let left = this.binary(level - 1);
    for (let operator = this.operatorAt(level); operator; operator = this.operatorAt(level)) {
      const { height } = this;
      this.at += operator === 'not in' ? 2 : 1;
      this.skipNewlines();
      const right = this.binary(level - 1);
      this.rise(height);
      left = { kind: 'binary', operator, left, right, span: { start: left.span.start, end: right.span.end } };
    }
    return left;
  }

  private operatorAt(level: number): BinaryOperator | undefined {
    const { kind, text } = this.token;
    const next = this.tokens[this.at + 1];
    const isNotIn = kind === 'name' && text === 'not' && next?.kind === 'name' && next.text === 'in';
    const operator = isNotIn ? 'not in' : text;
    const isOperator = kind === 'symbol' || (kind === 'name' && (operator === 'in' || isNotIn));
    return isOperator ? BINARY_LEVELS[level]!.find(candidate => candidate === operator) : undefined;
  }

  private unary(): Expression {
    if (this.isName('not')) return this.nested(() => this.not());
    if (this.isName('move')) {
      const { start } = this.advance().span;
      const operand = this.postfix();
      this.rise(0);
      return { kind: 'unary', operator: 'move', operand, span: { start, end: operand.span.end } };
    }
    if (!this.isSymbol('-') && !this.isSymbol('+')) return this.postfix();
    const token = this.advance();
    const operand = this.nested(() => this.unary());
    this.rise(0);
    const span = { start: token.span.start, end: operand.span.end };
    const isNegative = token.text === '-' && operand.kind === 'literal';
    if (isNegative && operand.value instanceof Duration) {
      return { kind: 'literal', value: new Duration(-operand.value.ns), span };
    }
    if (isNegative && (typeof operand.value === 'bigint' || typeof operand.value === 'number')) {
      const value = -operand.value;
      const isBeyond = typeof value === 'bigint' && value < -(2n ** 63n);
      return { kind: 'literal', value: isBeyond ? Number(value) : value, span };
    }
    return { kind: 'unary', operator: token.text as '-' | '+', operand, span };
  }

  private postfix(): Expression {
    let value = this.primary();
    for (let isFirst = true; ; isFirst = false) {
      const { start } = value.span;
      if (!isFirst) this.rise(0);
      const { height } = this;
      if (this.isSymbol('.') || this.startsMethodLine()) {
        this.skipNewlines();
        this.at++;
        if (this.isSymbol('?')) {
          // The old spelling `.?x`.
          this.at++;
          const name = this.memberName();
          const base: Expression = {
            kind: 'member',
            base: value,
            name: name.text,
            nameSpan: name.span,
            span: { start, end: name.span.end },
          };
          value = { kind: 'quiet', base, span: base.span };
          continue;
        }
        const name = this.memberName();
        if (this.isSymbol('(')) {
          this.at++;
          const args = this.list(')', () => this.argument());
          this.height = Math.max(height, this.height);
          value = {
            kind: 'method',
            base: value,
            name: name.text,
            nameSpan: name.span,
            args,
            span: { start, end: this.previousEnd() },
          };
        } else
          value = {
            kind: 'member',
            base: value,
            name: name.text,
            nameSpan: name.span,
            span: { start, end: name.span.end },
          };
      } else if (this.isSymbol('[') && this.token.span.start === value.span.end) {
        const opening = this.at++;
        this.skipNewlines();
        const index = this.expression();
        this.skipNewlines();
        this.close(']', opening);
        this.height = Math.max(height, this.height);
        value = { kind: 'index', base: value, index, span: { start, end: this.previousEnd() } };
      } else if (this.isSymbol('?')) {
        this.at++;
        value = { kind: 'quiet', base: value, span: { start, end: this.previousEnd() } };
      } else return value;
    }
  }

  private memberName(): Token {
    if (!this.is('name')) this.unexpected('a field name');
    return this.advance();
  }

  /** A line that begins with `.name` goes on with the expression before it. */
  private startsMethodLine(): boolean {
    if (!this.is('newline')) return false;
    let i = this.at;
    while (this.tokens[i]?.kind === 'newline') i++;
    return this.tokens[i]?.kind === 'symbol' && this.tokens[i]?.text === '.' && this.tokens[i + 1]?.kind === 'name';
  }

  private primary(): Expression {
    const { kind, parts, span, text, value } = this.token;
    this.height = 0;
    switch (kind) {
      case 'literal':
        this.at++;
        return { kind: 'literal', value: value ?? null, span };
      case 'format':
        this.at++;
        return {
          kind: 'format',
          parts: (parts ?? []).map(part => (typeof part === 'string' ? part : this.inside(part))),
          span,
        };
      case 'variable':
        this.at++;
        return { kind: 'variable', name: text, package: undefined, span };
      case 'meta':
        this.at++;
        return { kind: 'meta', name: text, span };
      case 'name':
        return this.nameExpression();
      case 'symbol':
        if (text === '(') return this.group();
        if (text === '[') return this.listLiteral();
        if (text === '{') return this.brace();
        return this.unexpected('an expression');
      default:
        return this.unexpected('an expression');
    }
  }

  /** An expression of a format string. */
  private inside(tokens: readonly Token[]): Expression {
    const parser = new Parser(this.source, tokens);
    parser.depth = this.depth;
    parser.statementStart = this.statementStart;
    const value = parser.wholeExpression();
    this.height = Math.max(this.height, parser.height);
    this.rise(0);
    return value;
  }

  private nameExpression(): Expression {
    const { span, text } = this.token;
    const literal = { true: true, false: false, null: null }[text];
    if (literal !== undefined) {
      this.at++;
      return { kind: 'literal', value: literal, span };
    }
    if (text === 'this') {
      this.at++;
      return { kind: 'this', span };
    }
    if (text === '_') {
      this.at++;
      return { kind: 'underscore', span };
    }
    if (KEYWORDS.has(text)) this.unexpected('an expression');
    const first = this.advance();
    let name = text;
    if (!this.isSymbol('::') && !this.isSymbol('(')) this.warnReserved(first);
    while (this.isSymbol('::')) {
      this.at++;
      if (this.is('variable')) {
        const variable = this.advance();
        return {
          kind: 'variable',
          name: variable.text,
          package: name,
          span: { start: span.start, end: variable.span.end },
        };
      }
      name += `::${this.memberName().text}`;
    }
    const nameSpan = { start: span.start, end: this.previousEnd() };
    if (this.isSymbol('(') && this.token.span.start === nameSpan.end) {
      this.at++;
      const args = this.list(')', () => this.argument());
      return { kind: 'call', name, nameSpan, args, span: { start: span.start, end: this.previousEnd() } };
    }
    if (name !== text) this.unexpected('`(`');
    return { kind: 'name', name, span };
  }

  private group(): Expression {
    const opening = this.at;
    const { start } = this.advance().span;
    const before = this.noLambda;
    this.noLambda = false;
    this.skipNewlines();
    const value = this.expression();
    this.skipNewlines();
    this.noLambda = before;
    this.close(')', opening);
    return { ...value, span: { start, end: this.previousEnd() } };
  }

  private listLiteral(): Expression {
    const { start } = this.advance().span;
    const items = this.list(']', (): Item => {
      if (this.isRest()) return { isSpread: false, value: this.rest() };
      const isSpread = this.isSymbol('...');
      if (isSpread) this.at++;
      return { isSpread, value: this.expression() };
    });
    return { kind: 'list', items, span: { start, end: this.previousEnd() } };
  }

  /** A record when `}`, `...` or `key:` follows, else a pipeline. */
  private brace(): Expression {
    const { start } = this.token.span;
    let i = this.at + 1;
    while (this.tokens[i]?.kind === 'newline') i++;
    const first = this.tokens[i]!;
    let j = i + 1;
    while (this.tokens[j]?.kind === 'newline') j++;
    const isKey = first.kind === 'name' || (first.kind === 'literal' && typeof first.value === 'string');
    const isRecord =
      (first.kind === 'symbol' &&
        (first.text === '}' || first.text === '...' || (first.text === '..' && this.inPattern))) ||
      (isKey && this.tokens[j]?.text === ':');
    if (!isRecord) {
      const pipeline = this.nested(() => this.block());
      return { kind: 'pipeline', pipeline, span: { start, end: this.previousEnd() } };
    }
    this.at++;
    const fields = this.list('}', () => this.recordField());
    return { kind: 'record', fields, span: { start, end: this.previousEnd() } };
  }

  private recordField(): RecordField {
    if (this.isRest()) return { kind: 'spread', value: this.rest() };
    if (this.isSymbol('...')) {
      this.at++;
      return { kind: 'spread', value: this.expression() };
    }
    const key = this.token;
    const isKey = key.kind === 'name' || (key.kind === 'literal' && typeof key.value === 'string');
    if (!isKey) this.unexpected('a field name');
    this.at++;
    this.skipNewlines();
    this.expect(':');
    this.skipNewlines();
    const name = key.kind === 'name' ? key.text : String(key.value);
    return { kind: 'entry', key: name, keySpan: key.span, value: this.expression() };
  }

  private isRest(): boolean {
    return this.inPattern && this.isSymbol('..');
  }

  private rest(): Expression {
    this.hasRest = true;
    return { kind: 'rest', span: this.advance().span };
  }

  private warnReserved({ span, text }: Token): void {
    if (!RESERVED.has(text)) return;
    const hints = [`write \`this.${text}\` for the field`];
    this.source.diagnostics.push({ ...diagnose('reservedWord', span, { name: text }, { hints }), severity: 'warning' });
  }

  /** The expression that was just read has another one, `height` high, beside it, and one level comes above both. */
  private rise(height: number): void {
    this.height = Math.max(height, this.height) + 1;
    if (this.height > HEIGHT_MAX) this.abandon('tooDeep', this.token.span, { limit: HEIGHT_MAX });
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > DEPTH_MAX) {
      this.abandon('tooDeep', this.token.span, { limit: DEPTH_MAX });
    }
    const { depth } = this;
    try {
      return read();
    } finally {
      this.depth = depth - 1;
    }
  }

  private get token(): Token {
    return this.tokens[this.at] ?? this.tokens.at(-1)!;
  }

  private advance(): Token {
    const { token } = this;
    this.at++;
    return token;
  }

  private previousEnd(): number {
    return this.tokens[Math.max(0, this.at - 1)]!.span.end;
  }

  private is(kind: Token['kind']): boolean {
    return this.token.kind === kind;
  }

  private isSymbol(text: string): boolean {
    return this.token.kind === 'symbol' && this.token.text === text;
  }

  private isName(text: string): boolean {
    return this.token.kind === 'name' && this.token.text === text;
  }

  private endsStatement(): boolean {
    return this.is('newline') || this.is('end') || this.isSymbol('|') || this.isSymbol('}');
  }

  private skipNewlines(): void {
    while (this.is('newline')) this.at++;
  }

  private expect(symbol: string): void {
    if (!this.isSymbol(symbol)) this.unexpected(`\`${symbol}\``);
    this.at++;
  }

  /** The bracket that closes the one at `opening`. */
  private close(symbol: string, opening: number): void {
    if (!this.isSymbol(symbol)) this.unexpected(`\`${symbol}\``, opening);
    this.at++;
  }

  private unexpected(what: string, opening?: number): never {
    const { kind, span } = this.token;
    const [line = ''] = this.source.text.slice(span.start, span.end).split('\n');
    const text =
      line.length === span.end - span.start && line.length <= SHOWN_MAX ? line : `${line.slice(0, SHOWN_MAX)}…`;
    const got = kind === 'end' ? 'the end of the text' : kind === 'newline' ? 'the end of the line' : `\`${text}\``;
    const isUnclosed = opening !== undefined && this.brackets.closing(opening) === undefined;
    const secondary = isUnclosed ? [{ span: this.tokens[opening]!.span, text: 'never closed' }] : [];
    this.abandon('expected', span, { what, got }, secondary);
  }

  private abandon(
    name: TextName,
    span: Span,
    details: Record<string, string | number> = {},
    secondary: readonly Label[] = [],
  ): never {
    const place = { start: span.start, end: Math.max(span.end, span.start + 1) };
    // What follows from what the lexer found is not told.
    if (this.lexicalErrorsIn(this.statementStart, place.end) === 0) {
      this.source.diagnostics.push(diagnose(name, place, details, secondary.length > 0 ? { secondary } : {}));
    }
    throw new Abandon();
  }

  private lexicalErrorsIn(start: number, end: number): number {
    return this.lexicalErrorsBefore(end) - this.lexicalErrorsBefore(start);
  }

  private lexicalErrorsBefore(offset: number): number {
    const { lexical } = this.source;
    let low = 0;
    let high = lexical.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lexical[middle]!.span!.start < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
