/**
 * Metrics in Prometheus' text format (0.0.4), computed from the parts' own counters when they are asked for, so that hot
 * paths count in plain numbers. Names never change silently: a test holds the list.
 */
import type { BrokerCounters, ListenerReport } from '../broker/index.ts';
import type { Coordination } from '../coordination/index.ts';
import { LATENCY_BOUNDS_MS } from '../engine/ledger.ts';
import type { Log } from '../log/index.ts';
import type { PipelineReport } from './pipelines.ts';

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

function sampleText(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const text = Object.entries(labels)
    .map(([key, label]) => `${key}="${label.replace(/[\\"\n]/g, char => (char === '\n' ? '\\n' : `\\${char}`))}"`)
    .join(',');
  return `${name}${text === '' ? '' : `{${text}}`} ${value}\n`;
}

/** A family without samples is left out. */
function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(([labels, value]) => sampleText(name, labels, value));
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

export interface Lag {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
}

/** Partitions whose lag is shown; more would be more series than a scrape should have. */
const LAGS_MAX = 1_000;

/** What groups have not read yet: from the committed offset, or the first one kept, to the end. */
export function lagOf(log: Log, coordination: Coordination): Lag[] {
  const found: Lag[] = [];
  for (const { id: group } of coordination.list('')) {
    for (const { offset, partition: index, topic } of coordination.allCommitted('', group)) {
      const partition = log.topic('', topic)?.partitions[index];
      if (!partition || found.length >= LAGS_MAX) continue;
      const from = Math.max(offset.offset, partition.startOffset);
      found.push({ group, topic, partition: index, records: Math.max(0, partition.syncedEnd - from) });
    }
  }
  return found;
}

export interface MetricParts {
  readonly version: string;
  readonly nowMs: number;
  readonly counters: BrokerCounters;
  readonly openConnections: number;
  readonly refusals: number;
  readonly listeners: readonly Pick<
    ListenerReport,
    'name' | 'certificateExpiresMs' | 'certificateReloads' | 'certificateReloadsFailed'
  >[];
  readonly log: Log['stats'];
  readonly pipelines: readonly PipelineReport[];
  readonly lag: readonly Lag[];
  /** Seconds by share. */
  readonly loopDelay: readonly (readonly [share: number, seconds: number])[];
}

export function renderMetrics(parts: MetricParts): string {
  const families = [processFamilies, kafkaFamilies, accessFamilies, logFamilies, pipelineFamilies];
  return families.flatMap(make => make(parts)).join('');
}

const one = (value: number): Sample[] => [[{}, value]];

function processFamilies({ loopDelay, version }: MetricParts): string[] {
  const { system, user } = process.cpuUsage();
  return [
    family('millrace_build_info', 'gauge', 'Version of the process.', [[{ version, node: process.version }, 1]]),
    family('process_cpu_seconds_total', 'counter', 'CPU time of all threads.', one((system + user) / 1e6)),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory.', one(process.memoryUsage.rss())),
    family(
      'millrace_event_loop_delay_seconds',
      'gauge',
      'How late the main thread is, over the last ten seconds.',
      loopDelay.map(([share, seconds]): Sample => [{ quantile: String(share) }, seconds]),
    ),
  ];
}

function kafkaFamilies({ counters, lag, openConnections, pipelines, refusals }: MetricParts): string[] {
  const read = pipelines.flatMap(({ lag: partitions, pipelineId }) =>
    partitions.map(({ partition, records, seconds, topic }) => ({
      labels: { pipeline: pipelineId, topic, partition: String(partition) },
      records,
      seconds,
    })),
  );
  return [
    family('millrace_kafka_connections_total', 'counter', 'Kafka connections accepted.', one(counters.connections)),
    family('millrace_kafka_connections', 'gauge', 'Kafka connections open.', one(openConnections)),
    family('millrace_kafka_requests_total', 'counter', 'Kafka requests.', one(counters.requests)),
    family('millrace_kafka_refused_total', 'counter', 'Clients and requests refused.', one(refusals)),
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
    family('millrace_consumer_lag_records', 'gauge', 'Records that a group or a pipeline has still to read.', [
      ...lag.map(
        ({ group, partition, records, topic }): Sample => [{ group, topic, partition: String(partition) }, records],
      ),
      ...read.map(({ labels, records }): Sample => [labels, records]),
    ]),
    family(
      'millrace_consumer_lag_seconds',
      'gauge',
      'Age of the newest record that a pipeline has read; 0 when it is the last.',
      read.map(({ labels, seconds }): Sample => [labels, seconds]),
    ),
  ];
}

function accessFamilies({ counters, listeners, nowMs }: MetricParts): string[] {
  const secured = listeners.flatMap(listener =>
    listener.certificateExpiresMs === undefined ? [] : [{ ...listener, expiresMs: listener.certificateExpiresMs }],
  );
  return [
    family('millrace_kafka_authentications_total', 'counter', 'Proofs of who a client is.', [
      [{ result: 'ok' }, counters.authenticated],
      [{ result: 'failed' }, counters.authenticationsFailed],
    ]),
    family(
      'millrace_kafka_sessions_expired_total',
      'counter',
      'Connections ended because their proof was not renewed in time.',
      one(counters.sessionsExpired),
    ),
    family(
      'millrace_tls_certificate_expiry_seconds',
      'gauge',
      'Time until the certificate of a listener ends.',
      secured.map(({ expiresMs, name }): Sample => [{ listener: name }, (expiresMs - nowMs) / 1_000]),
    ),
    family(
      'millrace_tls_certificate_reloads_total',
      'counter',
      'Changes of a certificate’s files: taken, or left because they do not fit.',
      secured.flatMap(({ certificateReloads, certificateReloadsFailed, name }): Sample[] => [
        [{ listener: name, result: 'ok' }, certificateReloads],
        [{ listener: name, result: 'failed' }, certificateReloadsFailed],
      ]),
    ),
  ];
}

function logFamilies({ log, pipelines }: MetricParts): string[] {
  const stages = pipelines.flatMap(({ buffers, pipelineId }) =>
    buffers.map(({ bytes, stageId }): Sample => [{ component_id: `${pipelineId}/${stageId}` }, bytes]),
  );
  return [
    family('millrace_log_commits_total', 'counter', 'Group commits, each with one sync.', one(log.frames)),
    family('millrace_log_written_bytes_total', 'counter', 'Bytes written to journal files.', one(log.writtenBytes)),
    family('millrace_log_files', 'gauge', 'Journal files.', one(log.files)),
    family('millrace_buffer_bytes', 'gauge', 'Bytes that wait, by where they do.', [
      [{ component_id: 'log' }, log.pendingBytes],
      ...stages,
    ]),
  ];
}

type Line = PipelineReport['ledger'][number];
type Labels = Readonly<Record<string, string>>;

function componentLabels(pipelineId: string, line: Line): Labels {
  return { component_id: `${pipelineId}/${line.stageId}`, component_kind: line.role, component_type: line.name };
}

function pipelineFamilies({ nowMs, pipelines }: MetricParts): string[] {
  /** Samples of each stage: none, one, or one for each entry of a table. */
  const perStage = (pick: (line: Line) => readonly (readonly [more: Labels, value: number])[]): Sample[] =>
    pipelines.flatMap(({ ledger, pipelineId }) =>
      ledger.flatMap(line =>
        pick(line).map(([more, value]): Sample => [{ ...componentLabels(pipelineId, line), ...more }, value]),
      ),
    );
  const perPipeline = (pick: (report: PipelineReport) => number | undefined): Sample[] =>
    pipelines.flatMap((report): Sample[] => {
      const value = pick(report);
      return value === undefined ? [] : [[{ pipeline: report.pipelineId }, value]];
    });
  const counter = (name: string, help: string, pick: (line: Line) => readonly (readonly [Labels, number])[]): string =>
    family(name, 'counter', help, perStage(pick));
  const plain = (value: number): readonly (readonly [Labels, number])[] => [[{}, value]];
  const byKey = (table: Readonly<Record<string, number>>, label: string): (readonly [Labels, number])[] =>
    Object.entries(table).map(([key, value]) => [{ [label]: key }, value]);
  return [
    family(
      'millrace_pipeline_up',
      'gauge',
      'Whether a pipeline runs.',
      perPipeline(({ state }) => (state === 'running' || state === 'draining' ? 1 : 0)),
    ),
    family(
      'millrace_checkpoint_age_seconds',
      'gauge',
      'Time since the last commit of a pipeline in this process.',
      perPipeline(({ committedMs }) =>
        committedMs === undefined ? undefined : Math.max(0, nowMs - committedMs) / 1_000,
      ),
    ),
    counter('millrace_component_received_events_total', 'Events that reached a stage.', line =>
      line.role === 'source' ? [] : plain(line.received),
    ),
    counter('millrace_component_received_bytes_total', 'Bytes that a source has read.', line =>
      line.role === 'source' ? plain(line.receivedBytes) : [],
    ),
    counter('millrace_component_sent_events_total', 'Events that a stage passed on or a sink delivered.', line =>
      plain(
        line.role === 'sink'
          ? line.delivered
          : Object.values(line.ways).reduce((sum, count) => sum + count, line.passed),
      ),
    ),
    counter('millrace_component_sent_bytes_total', 'Bytes that a sink has sent.', line =>
      line.role === 'sink' ? plain(line.sentBytes) : [],
    ),
    counter('millrace_component_discarded_events_total', 'Events that went no further.', line =>
      line.role === 'source'
        ? [[{ reason: 'overtaken_by_retention', intentional: 'false' }, line.overtaken]]
        : [
            [{ reason: 'filtered', intentional: 'true' }, line.filtered],
            [{ reason: 'refused', intentional: 'false' }, line.dropped],
          ],
    ),
    counter('millrace_component_errors_total', 'What went wrong at a stage, by kind.', line => [
      [{ error_type: 'warning' }, line.warnings],
      ...byKey(line.errors, 'error_type'),
    ]),
    counter('millrace_component_dead_letters_total', 'Events in the dead letters, by code.', line =>
      line.deadLettered === 0 ? [] : byKey(line.refusals, 'reason'),
    ),
    counter('millrace_component_busy_seconds_total', 'Time in which a stage itself was computing.', line =>
      plain(line.busyMs / 1_000),
    ),
    latencyFamily(pipelines),
    family(
      'millrace_buffer_events',
      'gauge',
      'Events that a stage holds.',
      perStage(line => (line.role === 'source' ? [] : plain(line.held))),
    ),
    counter('millrace_retries_total', 'Events sent again.', line => (line.role === 'sink' ? plain(line.retried) : [])),
    counter('millrace_possible_duplicates_total', 'Events sent again that may have arrived before.', line =>
      line.role === 'sink' ? plain(line.possibleDuplicates) : [],
    ),
    family(
      'millrace_watermark_delay_seconds',
      'gauge',
      'How far the event time up to which everything has reached a stage is behind the clock.',
      perStage(line => (line.watermarkMs === undefined ? [] : plain(Math.max(0, nowMs - line.watermarkMs) / 1_000))),
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
  ];
}

/** From the source to the delivery. */
function latencyFamily(pipelines: readonly PipelineReport[]): string {
  const name = 'millrace_component_latency_seconds';
  const lines = pipelines.flatMap(({ ledger, pipelineId }) =>
    ledger.flatMap(line => {
      if (!line.latency) return [];
      const labels = componentLabels(pipelineId, line);
      let count = 0;
      const buckets = line.latency.counts.map((inBucket, i) => {
        count += inBucket;
        const bound = LATENCY_BOUNDS_MS[i];
        return sampleText(
          `${name}_bucket`,
          { ...labels, le: bound === undefined ? '+Inf' : String(bound / 1_000) },
          count,
        );
      });
      return [
        ...buckets,
        sampleText(`${name}_sum`, labels, line.latency.sumMs / 1_000),
        sampleText(`${name}_count`, labels, count),
      ];
    }),
  );
  if (lines.length === 0) return '';
  return `# HELP ${name} Time from the source to the delivery of an event.\n# TYPE ${name} histogram\n${lines.join('')}`;
}
