/** Front door of `lang/plan`: the plan's nodes (declared in `sdk`, which what plugs in needs too) and walks over it. */
export type { AggregateCall, Chain, EdgeKind, NamedExpr, Node, Plan, PluggedNode, Stage } from '../../sdk/index.ts';
