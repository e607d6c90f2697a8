/**
 * Which fields of an event a plan reads behind a stage, so that a reader extracts all columns in one pass. Collecting
 * ends where rows become records (an assignment, an aggregate): what is read behind that has no document to scan.
 */
import { type Chain, childrenOf, type Expr, type Node } from '../sdk/index.ts';

const COLUMNS_MAX = 64;

export function pathsReadBehind(chain: Chain, from: number): readonly (readonly string[])[] {
  const found = new Map<string, readonly string[]>();
  collect(chain, from, found);
  return [...found.values()].slice(0, COLUMNS_MAX);
}

/** False when rows are no documents any more behind the chain. */
function collect(chain: Chain, from: number, found: Map<string, readonly string[]>): boolean {
  for (const { node } of chain.slice(from)) if (!collectNode(node, found)) return false;
  return true;
}

function collectNode(node: Node, found: Map<string, readonly string[]>): boolean {
  switch (node.kind) {
    case 'filter':
      collectExpr(node.predicate, found);
      return true;
    case 'branch': {
      collectExpr(node.condition, found);
      const then = collect(node.then, 0, found);
      return collect(node.otherwise, 0, found) && then;
    }
    case 'fan-out':
    case 'balance':
      collect(node.chain, 0, found);
      return true;
    case 'let':
    case 'limit':
      return true;
    case 'aggregate':
      for (const { value } of node.groups) collectExpr(value, found);
      for (const { args } of node.aggregates) for (const arg of args) collectExpr(arg, found);
      return false;
    case 'project':
      // `set` reads the whole row anyway.
      if (node.mode === 'select') for (const { value } of node.assignments) collectExpr(value, found);
      return false;
    case 'source':
    case 'opaque':
    case 'sink':
      for (const arg of Object.values(node.args)) {
        if (arg.kind === 'expression') for (const expr of arg.exprs) collectExpr(expr, found);
      }
      return node.definition.output === 'input';
    case 'remove':
      return false;
  }
}

function collectExpr(expr: Expr, found: Map<string, readonly string[]>): void {
  if (expr.kind === 'field') found.set(JSON.stringify(expr.path), expr.path);
  // What a lambda stands in is evaluated on the whole row.
  else if (expr.kind !== 'lambda') for (const child of childrenOf(expr)) collectExpr(child, found);
}
