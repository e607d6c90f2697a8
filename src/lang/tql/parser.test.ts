/** The grammar: precedence by pairs of neighbouring levels, the rules that are easy to get wrong, recovery from errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printTql } from '../../data/index.ts';
import { SourceText } from '../source.ts';
import type { Argument, Expression, Pattern, Pipeline, Statement } from './ast.ts';
import { parse } from './parser.ts';

function show(expression: Expression): string {
  const list = (...parts: readonly string[]): string => `(${parts.join(' ')})`;
  switch (expression.kind) {
    case 'literal':
      return printTql(expression.value, { isCompact: true });
    case 'name':
      return expression.name;
    case 'variable':
      return `${expression.package === undefined ? '' : `${expression.package}::`}$${expression.name}`;
    case 'meta':
      return `@${expression.name}`;
    case 'this':
      return 'this';
    case 'underscore':
      return '_';
    case 'rest':
      return '..';
    case 'bad':
      return 'bad';
    case 'list':
      return `[${expression.items.map(item => (item.isSpread ? '...' : '') + show(item.value)).join(' ')}]`;
    case 'record':
      return `{${expression.fields
        .map(field => (field.kind === 'entry' ? `${field.key}:${show(field.value)}` : `...${show(field.value)}`))
        .join(' ')}}`;
    case 'format':
      return list('f', ...expression.parts.map(part => (typeof part === 'string' ? JSON.stringify(part) : show(part))));
    case 'call':
      return list(expression.name, ...expression.args.map(showArgument));
    case 'method':
      return list(`.${expression.name}`, show(expression.base), ...expression.args.map(showArgument));
    case 'member':
      return list('.', show(expression.base), expression.name);
    case 'index':
      return list('[]', show(expression.base), show(expression.index));
    case 'quiet':
      return list('?', show(expression.base));
    case 'unary':
      return list(expression.operator, show(expression.operand));
    case 'binary':
      return list(expression.operator, show(expression.left), show(expression.right));
    case 'choose':
      return list(
        'if',
        ...[expression.condition, expression.then, expression.otherwise].flatMap(x => (x ? [show(x)] : [])),
      );
    case 'fallback':
      return list('else', show(expression.value), show(expression.fallback));
    case 'lambda':
      return list('=>', ...expression.parameters, show(expression.body));
    case 'assignment':
      return list('=', show(expression.target), show(expression.value));
    case 'pipeline':
      return `{${showPipeline(expression.pipeline)}}`;
  }
}

function showArgument({ name, value }: Argument): string {
  return name === undefined ? show(value) : `${name}=${show(value)}`;
}

function showPattern(pattern: Pattern): string {
  if (pattern.kind === 'any') return '_';
  return pattern.kind === 'range' ? `${show(pattern.low)}..${show(pattern.high)}` : show(pattern.value);
}

function showStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'bad':
      return 'bad';
    case 'let':
      return `let $${statement.name} ${show(statement.value)}`;
    case 'assignment':
      return `${show(statement.target)} = ${show(statement.value)}`;
    case 'if': {
      const otherwise = statement.otherwise ? ` else {${showPipeline(statement.otherwise)}}` : '';
      return `if ${show(statement.condition)} {${showPipeline(statement.then)}}${otherwise}`;
    }
    case 'match': {
      const arms = statement.arms.map(
        ({ body, guard, patterns }) =>
          `${patterns.map(showPattern).join('|')}${guard ? ` if ${show(guard)}` : ''} => {${showPipeline(body)}}`,
      );
      return `match ${show(statement.subject)} {${arms.join(', ')}}`;
    }
    case 'operator':
      return [statement.name, ...statement.args.map(showArgument)].join(' ');
  }
}

function showPipeline(pipeline: Pipeline): string {
  return pipeline.statements.map(showStatement).join('; ');
}

function read(text: string): { readonly tree: string; readonly errors: readonly string[] } {
  const source = new SourceText('x', text);
  const { diagnostics, pipeline } = parse(source);
  const errors = diagnostics.map(({ message, span }) => {
    const { column, line } = source.position(span!.start);
    return `${line}:${column} ${message}`;
  });
  return { tree: showPipeline(pipeline), errors };
}

/** Each level with the next looser one, both ways round. */
const PRECEDENCE: readonly (readonly [text: string, tree: string])[] = [
  ['-a.b', '(- (. a b))'],
  ['-a[0]', '(- ([] a 0))'],
  ['-f(x)', '(- (f x))'],
  ['-a?', '(- (? a))'],
  ['-a.f()', '(- (.f a))'],
  ['-a * b', '(* (- a) b)'],
  ['a * -b', '(* a (- b))'],
  ['a + b * c', '(+ a (* b c))'],
  ['a / b - c', '(- (/ a b) c)'],
  ['a + b < c', '(< (+ a b) c)'],
  ['a in b + c', '(in a (+ b c))'],
  ['not a == b', '(not (== a b))'],
  ['move a.b', '(move (. a b))'],
  ['not a not in b', '(not (not in a b))'],
  ['not a and b', '(and (not a) b)'],
  ['a and not b', '(and a (not b))'],
  ['move a and b', '(and (move a) b)'],
  ['move a + b == c', '(== (+ (move a) b) c)'],
  ['a or b and c', '(or a (and b c))'],
  ['a and b or c', '(or (and a b) c)'],
  ['a or b if c', '(if c (or a b))'],
  ['a if b or c', '(if (or b c) a)'],
  ['a else b if c', '(else a (if c b))'],
  ['a if b else c', '(if b a c)'],
  ['(a if b) else c', '(else (if b a) c)'],
  ['a if b else c if d else e', '(else (if b a (if d c)) e)'],
  ['a - b - c', '(- (- a b) c)'],
  ['a / b / c', '(/ (/ a b) c)'],
  ['a < b == c', '(== (< a b) c)'],
  ['a and b and c', '(and (and a b) c)'],
  ['a or b or c', '(or (or a b) c)'],
  ['a if b if c', '(if c (if b a))'],
  ['a else b else c', '(else (else a b) c)'],
  ['a + not b == c', '(+ a (not (== b c)))'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['- 1', '-1'],
  ['x => a if b', '(=> x (if b a))'],
  ['(x, y) => x < y', '(=> x y (< x y))'],
];

test('expressions bind as the table of precedence says', () => {
  for (const [text, tree] of PRECEDENCE)
    assert.deepEqual(read(`x = ${text}`), { tree: `x = ${tree}`, errors: [] }, text);
});

const RULES: readonly (readonly [rule: string, text: string, tree: string])[] = [
  ['braces with nothing in them are a record', 'foo {}', 'foo {}'],
  ['braces with a spread are a record', 'foo {...a}', 'foo {...a}'],
  ['a name and a colon begin a record', 'foo {a: 1}', 'foo {a:1}'],
  ['a string and a colon begin a record', 'foo {"a b": 1}', 'foo {a b:1}'],
  ['anything else is a pipeline', 'foo { pass }', 'foo {pass}'],
  ['a string alone begins no record', 'foo { x = "a" }', 'foo {x = "a"}'],
  ['a body without statements is an empty pipeline', 'if a {} else {}', 'if a {} else {}'],
  ['a name begins a call of an operator', 'foo a', 'foo a'],
  ['`=` makes it an assignment', 'foo = a', 'foo = a'],
  ['`.` makes it an assignment', 'foo.b = a', '(. foo b) = a'],
  ['`?` makes it an assignment', 'foo? = a', '(? foo) = a'],
  ['an adjacent bracket makes it an assignment', 'foo[0] = 1', '([] foo 0) = 1'],
  ['a bracket behind a blank is an argument', 'foo [0]', 'foo [0]'],
  ['a call as a statement is an operator with its arguments in parentheses', 'foo(1, b=2,)', 'foo 1 b=2'],
  ['parentheses around the first of several arguments are its own', 'foo (1), 2', 'foo 1 2'],
  ['a newline ends a statement right behind the name', 'drop\nx', 'drop; x'],
  ['`|` separates statements', 'a | b', 'a; b'],
  ['a comma goes on over the newline', 'set a=1,\n\n  b=2', 'set a=1 b=2'],
  ['an operator goes on over the newline', 'where a and\nb', 'where (and a b)'],
  ['a line with a method goes on', 'x = a\n\n  .b()\n  .c', 'x = (. (.b a) c)'],
  ['`else` stands behind newlines', 'if a { }\n\nelse { }', 'if a {} else {}'],
  ['`else` of an expression stands behind newlines', 'x = a\n  else b', 'x = (else a b)'],
  ['a backslash joins lines', 'x = 1 \\\n + 2', 'x = (+ 1 2)'],
  ['newlines mean nothing inside brackets', 'x = [\n1\n,\n2\n,\n]', 'x = [1 2]'],
  ['newlines mean nothing inside parentheses', 'x = f(\n1\n,\n)', 'x = (f 1)'],
  ['newlines mean nothing inside records', 'x = {\na\n:\n1\n,\n}', 'x = {a:1}'],
  ['`=>` of an arm is no lambda of its guard', 'match a { 1 if b => { } }', 'match a {1 if b => {}}'],
  [
    'inside brackets a guard may have lambdas',
    'match a { 1 if f(x => x) => { } }',
    'match a {1 if (f (=> x x)) => {}}',
  ],
  [
    'arms stand behind commas or newlines',
    'match a { 1 | -2 => { }, 3..4 => { }\n _ => { } }',
    'match a {1|-2 => {}, 3..4 => {}, _ => {}}',
  ],
  ['records and lists are patterns', 'match a { {b: 1} | [1] => { } }', 'match a {{b:1}|[1] => {}}'],
  ['patterns may take apart', 'match a { {b: [1, ..], ..} => { } }', 'match a {{b:[1 ..] .....} => {}}'],
  ['the comma before a final body may be left out', 'foo x { pass }', 'foo x {pass}'],
  ['`pkg::op` is a path though it looks like an address', 'abc::def::f 1', 'abc::def::f 1'],
  ['`pkg::$x` is a constant of a package', 'x = abc::$y', 'x = abc::$y'],
  ['`pkg::f(x)` is a call', 'x = abc::f(1)', 'x = (abc::f 1)'],
  ['`::1` is an address', 'x = ::1', 'x = ::1'],
  ['`?` may stand at each step', 'x = a?.b.c?', 'x = (? (. (. (? a) b) c))'],
  ['`.?x` is the old spelling', 'x = a.?b', 'x = (? (. a b))'],
  ['`this` and metadata are places', 'this = a\n@name = b', 'this = a; @name = b'],
  ['a variable is a place', '$a.b = 1', '(. $a b) = 1'],
  [
    'a format string has expressions with quotes of their own',
    'x = f"a {b + "}"} {{c}} {f"{d}"}"',
    'x = (f "a " (+ b "}") " {c} " (f d))',
  ],
  ['keywords are names behind a dot and before a colon', 'x = a.if\ny = {else: 1}', 'x = (. a if); y = {else:1}'],
  ['`from` takes records in parentheses', 'from ({a: 1}, {a: 2})', 'from {a:1} {a:2}'],
];

test('the rules that are easy to get wrong hold', () => {
  for (const [rule, text, tree] of RULES) assert.deepEqual(read(text), { tree, errors: [] }, `${rule}: ${text}`);
});

/** Each error is told once, and what is right around it is read. */
const RECOVERED: readonly (readonly [text: string, tree: string, errors: readonly string[]])[] = [
  ['x = )\ny = 1', 'bad; y = 1', ['1:5 expected an expression, got `)`']],
  ['x = ) | y = ]', 'bad; bad', ['1:5 expected an expression, got `)`', '1:13 expected an expression, got `]`']],
  [
    'x = foo(1\ny = 2\nz = ]',
    'bad; y = 2; bad',
    ['2:1 expected `,` or `)`, got `y`', '3:5 expected an expression, got `]`'],
  ],
  ['x = {\n  a: 1\n  b: 2\n}\ny = 1', 'bad; y = 1', ['3:3 expected `,` or `}`, got `b`']],
  ['x = foo(1,\n  2 ]\n  3)\ny = 1', 'bad; y = 1', ['2:5 expected `,` or `)`, got `]`']],
  ['x = {a: [1, 2 }\ny = 1', 'bad; y = 1', ['1:15 expected `,` or `]`, got `}`']],
  ['set a = 1,\n  b = )\nc = 2', 'bad; c = 2', ['2:7 expected an expression, got `)`']],
  [
    'if a b {\n  where )\n}\nc',
    'if bad {bad}; c',
    ['1:6 expected `{`, got `b`', '2:9 expected an expression, got `)`'],
  ],
  ['if { pass }\nc', 'if bad {pass}; c', ['1:4 expected a condition, got `{`']],
  ['if a\n{\n b\n}', 'if bad {b}', ['1:5 expected `{`, got the end of the line']],
  ['if a { } else\n{ b }', 'if a {} else {b}', ['1:14 expected `{`, got the end of the line']],
  [
    'match a {\n 1 = { b }\n 2 => { c ( }\n _ => { d }\n}',
    'match a {2 => {bad}, _ => {d}}',
    ['2:4 expected `=>`, got `=`', '3:13 expected an expression, got `}`'],
  ],
  ['if a {\n  b', 'bad', ['2:4 expected `}`, got the end of the text']],
  ['a }\nb', 'bad; b', ['1:3 expected a newline or `|`, got `}`']],
  ['} } }\nb', 'bad; b', ['1:1 expected a statement, got `}`']],
  ['let $x = [1,\ny $x', 'bad; y $x', ['2:3 expected `,` or `]`, got `$x`']],
  ['x = "abc\ny = "def\nz = "ok"', 'bad; bad; z = "ok"', ['1:5 unterminated string', '2:5 unterminated string']],
  ['x = foo("abc)\ny = 1', 'bad; y = 1', ['1:9 unterminated string']],
  ['x = f"{a\ny = 1', 'bad; y = 1', ['1:5 unterminated string']],
  ['x = §§ + §\ny = 1', 'bad; y = 1', ['1:5 unexpected character `§`', '1:10 unexpected character `§`']],
  ['x = 42foo + )\ny = )', 'bad; bad', ['1:5 invalid number `42foo`', '2:5 expected an expression, got `)`']],
  ['if a { b = § }\nc', 'if a {bad}; c', ['1:12 unexpected character `§`']],
  [
    'x = größe + 1\ny = {é: 1}\nz',
    'bad; bad; z',
    [
      '1:5 the name `größe` has characters beyond `A-Z a-z 0-9 _`: write it as a string, `this["größe"]`',
      '2:6 the name `é` has characters beyond `A-Z a-z 0-9 _`: write it as a string, `this["é"]`',
    ],
  ],
  ['f(1).g()\nx', 'bad; x', ['1:1 a method call cannot stand as a statement']],
  ['a.f()\nx', 'bad; x', ['1:1 a method call cannot stand as a statement']],
  ['foo 1,', 'bad', ['1:7 expected an expression, got the end of the text']],
  ['x = b(c,,)', 'bad', ['1:9 expected an expression, got `,`']],
];

test('errors are told once each, and reading goes on behind them', () => {
  for (const [text, tree, errors] of RECOVERED) assert.deepEqual(read(text), { tree, errors }, text);
});

test('an unclosed bracket is shown beside the place where its end is missed', () => {
  const { diagnostics } = parse(new SourceText('x', 'x = [1\ny = 2'));
  assert.deepEqual(diagnostics[0]?.secondary, [{ span: { start: 4, end: 5 }, text: 'never closed' }]);
});

test('words that are reserved for later are a warning', () => {
  const { diagnostics, pipeline } = parse(
    new SourceText('x', 'where meta.x\nthis.meta = {meta: 1}\npipeline::list\nx = module("a")'),
  );
  assert.deepEqual(
    diagnostics.map(({ code, severity, span }) => [code, severity, span?.start]),
    [['MR2050', 'warning', 6]],
  );
  assert.equal(pipeline.statements.length, 4);
});

test('a text that is no UTF-8 or too long is refused with its place', () => {
  const bytes = Buffer.concat([Buffer.from('\ufeffx = "\ufffdé"\ny = "'), Buffer.from([0xff]), Buffer.from('"')]);
  const source = SourceText.fromBytes('x', bytes);
  const [invalid] = parse(source).diagnostics;
  assert.equal(invalid?.code, 'MR2008');
  assert.deepEqual(source.position(invalid.span!.start), { line: 2, column: 6 });
  assert.equal(parse(SourceText.fromBytes('x', Buffer.from('x = "\ufffd"'))).diagnostics.length, 0);
  const outside = parse(SourceText.fromBytes('x', Buffer.from([0x78, 0xff, 0xfe, 0x0a]))).diagnostics;
  assert.deepEqual(
    outside.map(({ code }) => code),
    ['MR2008'],
  );
  const long = parse(new SourceText('x', ' '.repeat(4 * 1024 * 1024 + 1))).diagnostics;
  assert.deepEqual(
    long.map(({ code }) => code),
    ['MR2009'],
  );
});
