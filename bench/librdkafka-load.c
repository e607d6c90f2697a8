/*
 * Load by librdkafka, producing or consuming, as cheap as the library allows; prints `bytes seconds`, values only.
 *
 *   produce BROKERS TOPIC PARTITIONS RECORD_BYTES TOTAL_BYTES [PROPERTY=VALUE…]
 *   consume BROKERS TOPIC PARTITIONS TOTAL_BYTES [PROPERTY=VALUE…]
 *
 * Producing, the clock runs from the first record to the last acknowledgement. Consuming, from the first record received,
 * after `ready` was printed when every partition has been assigned (from its beginning, or from its end with START=end).
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long failed;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void check(int isRight, const char *what) {
  if (isRight) return;
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char reason[256];
  check(rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK, reason);
}

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  if (message->err) failed++;
}

static double produce(rd_kafka_t *client, rd_kafka_topic_t *topic, int partitions, size_t size, long total, long *bytes) {
  char *value = malloc(size);
  for (size_t i = 0; i < size; i++) value[i] = (char)((i * 2654435761u) >> 13);
  double started = now();
  long count = total / (long)size;
  for (long i = 0; i < count; i++) {
    while (rd_kafka_produce(topic, i % partitions, 0, value, size, NULL, 0, NULL) != 0) {
      check(rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL, "produce failed");
      rd_kafka_poll(client, 5);
    }
    if (i % 1000 == 0) rd_kafka_poll(client, 0);
  }
  check(rd_kafka_flush(client, 120000) == 0 && failed == 0, "not everything was acknowledged");
  *bytes = count * (long)size;
  return now() - started;
}

static double consume(rd_kafka_t *client, rd_kafka_topic_t *topic, int partitions, long total, int isAtEnd, long *bytes) {
  rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
  int64_t from = isAtEnd ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
  for (int i = 0; i < partitions; i++) check(rd_kafka_consume_start_queue(topic, i, from, queue) == 0, "no partition");
  rd_kafka_message_t *messages[10000];
  double started = 0;
  if (isAtEnd) {
    /* The end is known to the client when it says so. */
    struct timespec second = {1, 0};
    nanosleep(&second, NULL);
  }
  printf("ready\n");
  fflush(stdout);
  while (*bytes < total) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 30000, messages, 10000);
    check(count > 0, "nothing came for 30 s");
    if (started == 0) started = now();
    for (ssize_t i = 0; i < count; i++) {
      check(!messages[i]->err, rd_kafka_err2str(messages[i]->err));
      *bytes += (long)messages[i]->len;
      rd_kafka_message_destroy(messages[i]);
    }
  }
  return now() - started;
}

int main(int count, char **arguments) {
  check(count >= 6, "see the head of the file");
  int isProducing = strcmp(arguments[1], "produce") == 0;
  int isAtEnd = 0;
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", arguments[2]);
  if (isProducing) {
    set(conf, "acks", "all");
    set(conf, "linger.ms", "5");
    set(conf, "batch.size", "1000000");
    set(conf, "batch.num.messages", "100000");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "262144");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  } else {
    set(conf, "queued.min.messages", "1000000");
    set(conf, "enable.partition.eof", "false");
    set(conf, "group.id", "bench");
    set(conf, "enable.auto.commit", "false");
  }
  for (int i = isProducing ? 7 : 6; i < count; i++) {
    char *value = strchr(arguments[i], '=');
    check(value != NULL, "PROPERTY=VALUE");
    *value++ = 0;
    if (strcmp(arguments[i], "START") == 0) isAtEnd = strcmp(value, "end") == 0;
    else set(conf, arguments[i], value);
  }
  char reason[256];
  rd_kafka_t *client = rd_kafka_new(isProducing ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
  check(client != NULL, reason);
  rd_kafka_topic_t *topic = rd_kafka_topic_new(client, arguments[3], NULL);
  int partitions = atoi(arguments[4]);
  long bytes = 0;
  double seconds = isProducing ? produce(client, topic, partitions, strtoul(arguments[5], NULL, 10), atol(arguments[6]), &bytes)
                               : consume(client, topic, partitions, atol(arguments[5]), isAtEnd, &bytes);
  printf("%ld %f\n", bytes, seconds);
  fflush(stdout);
  /* What it still holds is the kernel's to free. */
  _Exit(0);
}
