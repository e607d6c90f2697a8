/** The names of the metrics, held fixed: who builds a dashboard on one must find it in the next version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prometheusDefects } from '../../test/e2e/prometheus.ts';
import { makeLine } from '../engine/ledger.ts';
import { type MetricParts, renderMetrics } from './metrics.ts';

const PARTS: MetricParts = {
  version: '1.2.3',
  nowMs: 10_000,
  counters: {
    connections: 1,
    requests: 2,
    producedBytes: 3,
    producedBatches: 4,
    fetchedBytes: 5,
    authenticated: 0,
    authenticationsFailed: 0,
    sessionsExpired: 0,
  },
  openConnections: 1,
  refusals: 6,
  listeners: [{ name: 'public', certificateExpiresMs: 90_000, certificateReloads: 1, certificateReloadsFailed: 0 }],
  log: { frames: 7, writtenBytes: 8, bodyBytes: 9, files: 1, pendingBytes: 0 } as MetricParts['log'],
  lag: [{ group: 'g "1"\\\n', topic: 't', partition: 0, records: 12 }],
  loopDelay: [[0.99, 0.001]],
  pipelines: [
    {
      pipelineId: 'p',
      state: 'running',
      reason: undefined,
      openEpochs: 0,
      mayRestart: true,
      deadLetters: 0,
      nextTryMs: undefined,
      committedMs: 8_500,
      buffers: [{ stageId: '2', bytes: 77 }],
      lag: [{ topic: 't', partition: 1, records: 3, seconds: 0.5 }],
      health: [{ stageId: '2', endpoint: 'a:1', isUp: false }],
      ledger: (['source', 'filters', 'sink'] as const).map((kind, i) => {
        const line = makeLine(String(i), kind, kind);
        Object.assign(line, {
          received: 1,
          passed: 2,
          filtered: 3,
          deadLettered: 4,
          delivered: 5,
          dropped: 6,
          watermarkMs: 4_000,
        });
        Object.assign(line.refusals, { MR7001: 4 });
        Object.assign(line.errors, { timeout: 2 });
        if (line.latency) line.latency.counts[0] = 9;
        return { ...line, held: 11, interrupted: 0 };
      }),
    },
  ],
};

const NAMES: readonly string[] = [
  'millrace_build_info gauge',
  'process_cpu_seconds_total counter',
  'process_resident_memory_bytes gauge',
  'millrace_event_loop_delay_seconds gauge',
  'millrace_kafka_connections_total counter',
  'millrace_kafka_connections gauge',
  'millrace_kafka_requests_total counter',
  'millrace_kafka_refused_total counter',
  'millrace_kafka_produced_bytes_total counter',
  'millrace_kafka_fetched_bytes_total counter',
  'millrace_consumer_lag_records gauge',
  'millrace_consumer_lag_seconds gauge',
  'millrace_kafka_authentications_total counter',
  'millrace_kafka_sessions_expired_total counter',
  'millrace_tls_certificate_expiry_seconds gauge',
  'millrace_tls_certificate_reloads_total counter',
  'millrace_log_commits_total counter',
  'millrace_log_written_bytes_total counter',
  'millrace_log_files gauge',
  'millrace_buffer_bytes gauge',
  'millrace_pipeline_up gauge',
  'millrace_checkpoint_age_seconds gauge',
  'millrace_component_received_events_total counter',
  'millrace_component_received_bytes_total counter',
  'millrace_component_sent_events_total counter',
  'millrace_component_sent_bytes_total counter',
  'millrace_component_discarded_events_total counter',
  'millrace_component_errors_total counter',
  'millrace_component_dead_letters_total counter',
  'millrace_component_busy_seconds_total counter',
  'millrace_component_latency_seconds histogram',
  'millrace_buffer_events gauge',
  'millrace_retries_total counter',
  'millrace_possible_duplicates_total counter',
  'millrace_watermark_delay_seconds gauge',
  'millrace_sink_endpoint_up gauge',
];

test('the names and types of the metrics stay as they are', () => {
  const text = renderMetrics(PARTS);
  assert.deepEqual(
    [...text.matchAll(/^# TYPE (.*)$/gm)].map(match => match[1]),
    NAMES,
  );
});

test('the text is what Prometheus reads, with quotes, backslashes and newlines in labels', () => {
  const text = renderMetrics(PARTS);
  assert.deepEqual(prometheusDefects(text), []);
  assert.ok(text.includes('millrace_consumer_lag_records{group="g \\"1\\"\\\\\\n",topic="t",partition="0"} 12\n'));
  assert.deepEqual(
    prometheusDefects(renderMetrics({ ...PARTS, pipelines: [], lag: [] })),
    [],
    'without pipelines, too',
  );
});

test('values are in the units that the names say', () => {
  const text = renderMetrics(PARTS);
  const stage = 'component_id="p/1",component_kind="stage",component_type="filters"';
  const sink = 'component_id="p/2",component_kind="sink",component_type="sink"';
  for (const line of [
    'millrace_checkpoint_age_seconds{pipeline="p"} 1.5',
    `millrace_watermark_delay_seconds{${stage}} 6`,
    `millrace_component_discarded_events_total{${stage},reason="filtered",intentional="true"} 3`,
    `millrace_component_discarded_events_total{${stage},reason="refused",intentional="false"} 6`,
    `millrace_component_dead_letters_total{${stage},reason="MR7001"} 4`,
    `millrace_component_errors_total{${stage},error_type="timeout"} 2`,
    `millrace_component_sent_events_total{${sink}} 5`,
    `millrace_component_latency_seconds_bucket{${sink},le="0.001"} 9`,
    `millrace_component_latency_seconds_bucket{${sink},le="+Inf"} 9`,
    `millrace_component_latency_seconds_count{${sink}} 9`,
    'millrace_buffer_bytes{component_id="p/2"} 77',
    'millrace_consumer_lag_seconds{pipeline="p",topic="t",partition="1"} 0.5',
    'millrace_sink_endpoint_up{component_id="p/2",endpoint="a:1"} 0',
  ])
    assert.ok(text.includes(`${line}\n`), line);
});
