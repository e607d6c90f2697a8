/**
 * The demo's pipelines. The first is the seed's "Collecting High Severity OCSF events" with its broker, credentials and
 * endpoints replaced and nothing else: `aws_iam` is gone because the topic is in the embedded log, and the endpoints are the
 * demo's receivers. The README shows it and lists the edits; a test compares.
 */
export function demoPipelines(endpoints: readonly string[]): { readonly id: string; readonly text: string }[] {
  const list = endpoints.map(url => JSON.stringify(url)).join(', ');
  return [
    {
      id: 'high-severity',
      text: `let $endpoints = [${list}]

load_kafka "ocsf-events"
read_json
where severity_id >= 4 // High and above
load_balance $endpoints {
    to_splunk $endpoints, hec_token=secret("SPLUNK_TOKEN")
}
`,
    },
    {
      id: 'sign-ins',
      text: `load_kafka "ocsf-events"
read_json
where class_uid == 3002 and severity_id >= 3
write_ndjson
save_kafka "sign-ins"
`,
    },
  ];
}
