/** Operators of the language that are not implemented yet: using one says so instead of calling it unknown. */
export const PLANNED_OPERATORS: ReadonlySet<string> = new Set(
  `to publish subscribe from_file to_file load_file save_file load save from_http to_http accept_http serve_http http
  load_http save_http from_splunk accept_splunk to_opensearch to_elasticsearch accept_opensearch accept_elasticsearch
  from_tcp to_tcp accept_tcp serve_tcp to_udp accept_udp from_s3 to_s3 from_amazon_sqs to_amazon_sqs
  from_amazon_kinesis to_amazon_kinesis to_amazon_security_lake from_amqp to_amqp from_nats to_nats from_zmq to_zmq
  read_csv read_tsv read_ssv read_xsv read_kv read_yaml read_tql read_all read_delimited read_delimited_regex read_auto
  read_syslog read_cef read_leef read_gelf read_grok read_suricata read_zeek_json read_zeek_tsv read_parquet read_feather
  read_pcap read_bitz read_netflow read_chunks write_csv write_yaml write_kv write_tsv write_ssv write_xsv write_all
  write_delimited write_syslog write_zeek_tsv write_parquet write_feather write_pcap write_bitz write_chunks
  compress_gzip compress_zstd compress_lz4 compress_bz2 compress_brotli decompress_gzip decompress_zstd decompress_lz4
  decompress_bz2 decompress_brotli drop_null_fields tail slice taste reverse sort unroll replace enumerate deduplicate
  top rare assert throttle sample repeat timeshift delay measure cache buffer strict unordered assert_throughput
  dns_lookup python shell ai_prompt sigma yara every cron group window each fork_merge merge parallel import export
  partitions schemas fields metrics diagnostics pipeline_list pipeline_run context_create_lookup_table context_update
  context_enrich context_lookup context_inspect context_list context_erase context_remove context_reset ocsf_cast
  ocsf_derive ocsf_trim files nics processes sockets chart_area chart_bar chart_line chart_pie`
    .split(/\s+/)
    .filter(name => name !== ''),
);
