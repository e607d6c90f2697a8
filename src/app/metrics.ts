/** Metrics in Prometheus' text format, computed from the parts' own counters when they are asked for. */
import type { BrokerCounters } from '../broker/index.ts';
import type { TaskReport } from '../engine/index.ts';

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const text = Object.entries(labels)
      .map(([key, label]) => `${key}="${label.replace(/[\\"\n]/g, char => (char === '\n' ? '\\n' : `\\${char}`))}"`)
      .join(',');
    return `${name}${text === '' ? '' : `{${text}}`} ${value}`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

export function renderMetrics(parts: {
  readonly version: string;
  readonly counters: BrokerCounters;
  readonly openConnections: number;
  readonly refusals: number;
  readonly log: {
    readonly frames: number;
    readonly writtenBytes: number;
    readonly bodyBytes: number;
    readonly files: number;
    readonly pendingBytes: number;
  };
  readonly pipelines: readonly TaskReport[];
  /** Seconds by share. */
  readonly loopDelay: readonly (readonly [share: number, seconds: number])[];
}): string {
  const { counters, log, pipelines } = parts;
  const one = (value: number): Sample[] => [[{}, value]];
  const perStage = (pick: (line: TaskReport['ledger'][number]) => number): Sample[] =>
    pipelines.flatMap(({ ledger, pipelineId }) =>
      ledger.map(
        (line): Sample => [
          { component_id: `${pipelineId}/${line.stageId}`, component_kind: line.role, component_type: line.name },
          pick(line),
        ],
      ),
    );
  return [
    family('millrace_build_info', 'gauge', 'Version of the process.', [[{ version: parts.version }, 1]]),
    family(
      'millrace_event_loop_delay_seconds',
      'gauge',
      'How late the main thread is, over the last ten seconds.',
      parts.loopDelay.map(([share, seconds]): Sample => [{ quantile: String(share) }, seconds]),
    ),
    family(
      'millrace_component_watermark_seconds',
      'gauge',
      'Event time up to which everything has reached the stage, in seconds since 1970.',
      pipelines.flatMap(({ ledger, pipelineId }) =>
        ledger.flatMap((line): Sample[] =>
          line.watermarkMs === undefined
            ? []
            : [
                [
                  { component_id: `${pipelineId}/${line.stageId}`, component_type: line.name },
                  line.watermarkMs / 1_000,
                ],
              ],
        ),
      ),
    ),
    family('millrace_kafka_connections_total', 'counter', 'Kafka connections accepted.', one(counters.connections)),
    family('millrace_kafka_connections', 'gauge', 'Kafka connections open.', one(parts.openConnections)),
    family('millrace_kafka_requests_total', 'counter', 'Kafka requests.', one(counters.requests)),
    family('millrace_kafka_refused_total', 'counter', 'Clients and requests refused.', one(parts.refusals)),
    family(
      'millrace_kafka_produced_bytes_total',
      'counter',
      'Bytes of record batches acknowledged.',
      one(counters.producedBytes),
    ),
    family(
      'millrace_kafka_fetched_bytes_total',
      'counter',
      'Bytes of record batches fetched.',
      one(counters.fetchedBytes),
    ),
    family('millrace_log_commits_total', 'counter', 'Group commits, each with one sync.', one(log.frames)),
    family('millrace_log_written_bytes_total', 'counter', 'Bytes written to journal files.', one(log.writtenBytes)),
    family('millrace_log_files', 'gauge', 'Journal files.', one(log.files)),
    family('millrace_buffer_bytes', 'gauge', 'Bytes that wait for a commit.', [
      [{ component_id: 'log' }, log.pendingBytes],
    ]),
    family(
      'millrace_component_received_events_total',
      'counter',
      'Events that reached a stage.',
      perStage(line => line.received),
    ),
    family(
      'millrace_component_sent_events_total',
      'counter',
      'Events that a stage passed on or delivered.',
      perStage(line => line.passed + line.delivered),
    ),
    family(
      'millrace_component_discarded_events_total',
      'counter',
      'Events that a filter dropped.',
      perStage(line => line.filtered),
    ),
    family(
      'millrace_component_dead_letters_total',
      'counter',
      'Events in the dead letters.',
      perStage(line => line.deadLettered),
    ),
    family(
      'millrace_buffer_events',
      'gauge',
      'Events that a stage holds.',
      perStage(line => line.held),
    ),
    family(
      'millrace_retries_total',
      'counter',
      'Events sent again.',
      perStage(line => line.retried),
    ),
    family(
      'millrace_sink_endpoint_up',
      'gauge',
      'Whether a sink’s endpoint takes events.',
      pipelines.flatMap(({ health, pipelineId }) =>
        health.map(
          ({ endpoint, isUp, stageId }): Sample => [
            { component_id: `${pipelineId}/${stageId}`, endpoint },
            isUp ? 1 : 0,
          ],
        ),
      ),
    ),
  ].join('');
}
