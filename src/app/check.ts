/** Checks pipelines without running them. The languages and builtins load here, when there is something to check. */
import type { Diagnostic, Span } from '../base/index.ts';
import type { SourceText } from '../lang/source.ts';
import type { PipelineText } from './config/load.ts';
import { roundsOf } from './rounds.ts';
import { DEAD_LETTER_TOPIC } from './dead-letter-topic.ts';

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
  return texts.flatMap(({ deadLetterTopic, file, id, onError, origin, source: read, text }) => {
    const compiled = (source: SourceText): readonly Diagnostic[] => {
      const { diagnostics, plan } = compileTql(source, builtins, { id, hasImplicitEnds: options.hasImplicitEnds });
      const letters = onError === 'dead_letter' ? (deadLetterTopic ?? DEAD_LETTER_TOPIC) : undefined;
      return [...diagnostics, ...roundsOf(plan.chain, letters)];
    };
    const source = read ?? new SourceText(file, text);
    const diagnostics = options.isParseOnly ? parse(source).diagnostics : compiled(source);
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
