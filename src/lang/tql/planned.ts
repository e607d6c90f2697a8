/**
 * Names of the language that are not implemented yet, by tier: 1 is needed for Kafka and event routing, 2 is what a user of
 * TQL expects, 3 is niche. Using one says so instead of calling it unknown. Whoever implements a name takes it from here
 * (a test compares with the registry). Spelled with `_`; the older `a::b` is the same name.
 */

export type Tier = 1 | 2 | 3;

type Names = Readonly<Record<Tier, string>>;

const OPERATORS: Names = {
  1: `from_file to_file load_file save_file load save publish subscribe
    read_csv read_all write_csv
    drop_null_fields tail slice taste reverse sort unroll replace enumerate deduplicate top rare assert throttle sample
    repeat every`,
  2: `from_splunk accept_splunk from_http to_http accept_http serve_http http load_http save_http
    to_opensearch to_elasticsearch accept_opensearch accept_elasticsearch
    from_tcp to_tcp accept_tcp serve_tcp to_udp accept_udp
    from_s3 to_s3 from_amazon_sqs to_amazon_sqs from_amazon_kinesis to_amazon_kinesis to_amazon_security_lake
    read_tsv read_ssv read_xsv read_kv read_yaml read_tql read_delimited read_delimited_regex read_auto read_syslog
    read_cef read_leef read_gelf read_grok read_suricata read_zeek_json read_zeek_tsv
    write_yaml write_kv write_tsv write_ssv write_xsv write_all write_delimited write_syslog write_zeek_tsv
    compress_gzip compress_zstd compress_lz4 compress_bz2 compress_brotli
    decompress_gzip decompress_zstd decompress_lz4 decompress_bz2 decompress_brotli
    timeshift delay measure cache buffer strict unordered assert_throughput
    cron group window each fork_merge merge parallel
    metrics diagnostics pipeline_list pipeline_run
    context_create_lookup_table context_update context_enrich context_lookup context_inspect context_list context_erase
    context_remove context_reset
    ocsf_cast ocsf_derive ocsf_trim`,
  3: `from_amqp to_amqp from_nats to_nats from_zmq to_zmq accept_zmq serve_zmq
    from_google_cloud_pubsub to_google_cloud_pubsub from_google_cloud_storage to_google_cloud_storage
    from_azure_blob_storage to_azure_blob_storage from_ftp to_ftp from_fluent_bit to_fluent_bit
    from_unix_socket accept_unix_socket to_unix_socket serve_unix_socket accept_relp serve_relp accept_otlp serve_otlp
    from_amazon_cloudwatch to_amazon_cloudwatch from_clickhouse to_clickhouse to_snowflake to_iceberg to_prometheus
    to_azure_log_analytics to_google_cloud_logging to_google_secops
    from_sentinelone_data_lake to_sentinelone_data_lake from_microsoft_graph from_microsoft_sql from_mysql
    from_velociraptor from_nic
    read_parquet read_feather read_pcap read_bitz read_netflow read_chunks
    write_parquet write_feather write_pcap write_bitz write_chunks
    dns_lookup python shell ai_prompt sigma yara
    import export partitions schemas fields
    pipeline_detach pipeline_activity package_add package_list package_remove plugins version openapi api
    context_create_bloom_filter context_create_geoip context_load context_save
    files nics processes sockets chart_area chart_bar chart_line chart_pie`,
};

const FUNCTIONS: Names = {
  1: `to_title capitalize split_regex replace_regex match_regex equals contains slice pad_start pad_end
    repeat reverse is_alnum is_alpha is_lower is_upper is_numeric is_printable is_title is_empty file_name parent_dir
        format_time parse_time             sqrt uuid
    append prepend concatenate add remove map where sort zip get
    has keys merge map_keys drop_null_fields select_matching drop_matching
    count_if count_distinct median quantile stddev variance mode first last collect distinct value_counts all any
    otherwise
    hash_md5 hash_sha1 hash_sha224 hash_sha256 hash_sha384 hash_sha512 hash_xxh3
    encode_base64 encode_hex encode_url decode_base64 decode_hex decode_url
    is_v4 is_v6 is_private is_global is_loopback is_multicast is_link_local network
    env config type_of`,
  2: `parse_csv parse_tsv parse_ssv parse_xsv parse_kv parse_grok parse_yaml parse_syslog parse_cef parse_leef
    print_csv print_tsv print_ssv print_xsv print_kv print_yaml print_cef print_leef
    flatten unflatten deltas entropy ip_category community_id bit_and bit_or bit_xor bit_not shift_left shift_right
    exp log pow hmac hash_sha3_224 hash_sha3_256 hash_sha3_384 hash_sha3_512
    encode_base58 decode_base58 contains_null type_id file_contents
    ocsf_class_uid ocsf_class_name ocsf_category_uid ocsf_category_name ocsf_type_uid ocsf_type_name`,
  3: `parse_winlog parse_xml encrypt_cryptopan decrypt_cryptopan decapsulate geo_distance
    ewma ewm_variance ewm_stddev autocorrelation periodogram dominant_period mad skewness internal_memory_size
    histogram frequency_table hll hll_merge`,
};

function byName(names: Names): ReadonlyMap<string, Tier> {
  const tiers: readonly Tier[] = [1, 2, 3];
  return new Map(
    tiers.flatMap(tier =>
      names[tier]
        .trim()
        .split(/\s+/)
        .map(name => [name, tier] as const),
    ),
  );
}

export const PLANNED_OPERATORS: ReadonlyMap<string, Tier> = byName(OPERATORS);
export const PLANNED_FUNCTIONS: ReadonlyMap<string, Tier> = byName(FUNCTIONS);
