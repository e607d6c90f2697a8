/** Checks pipelines without running them. The languages and builtins load here, when there is something to check. */
import type { Diagnostic, Span } from '../base/index.ts';
import type { SourceText } from '../lang/source.ts';
import type { PipelineText } from './config/load.ts';

export interface Finding {
  readonly pipelineId: string;
  readonly diagnostic: Diagnostic;
  readonly source: SourceText;
}

export interface CheckOptions {
  /** Open ends are standard input and output, as in `millrace run`. */
  readonly hasImplicitEnds: boolean;
  readonly isParseOnly?: boolean;
}

export async function checkPipelines(texts: readonly PipelineText[], options: CheckOptions): Promise<Finding[]> {
  if (texts.length === 0) return [];
  const [{ builtins }, { compileTql, parse, SourceText }] = await Promise.all([
    import('../builtins/index.ts'),
    import('../lang/index.ts'),
  ]);
  return texts.flatMap(({ file, id, origin, source: read, text }) => {
    const source = read ?? new SourceText(file, text);
    const { diagnostics } = options.isParseOnly
      ? parse(source)
      : compileTql(source, builtins, { id, hasImplicitEnds: options.hasImplicitEnds });
    if (!origin) return diagnostics.map(diagnostic => ({ pipelineId: id, diagnostic, source }));
    return diagnostics.map(diagnostic => ({
      pipelineId: id,
      diagnostic: moved(diagnostic, origin.spanOf),
      source: origin.source,
    }));
  });
}

function moved(diagnostic: Diagnostic, spanOf: (span: Span) => Span): Diagnostic {
  const { secondary, span } = diagnostic;
  return {
    ...diagnostic,
    ...(span && { span: spanOf(span) }),
    ...(secondary && { secondary: secondary.map(label => ({ ...label, span: spanOf(label.span) })) }),
  };
}
