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
    default:
      return false;
  }
}

/** Only what predicates compare is worth a column: other expressions read the row as a record. */
function collectExpr(expr: Expr, found: Map<string, readonly string[]>): void {
  if (expr.kind === 'field') {
    found.set(JSON.stringify(expr.path), expr.path);
    return;
  }
  if (expr.kind === 'call' || expr.kind === 'lambda') return;
  for (const child of childrenOf(expr)) collectExpr(child, found);
}
