import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/**
 * A word count with exactly_once_v2. Arguments: broker, then `count DIRECTORY` (runs until it is killed), `write N` (N lines
 * of ten words, over some twenty seconds) or `read N` (waits until each of the ten words is counted exactly N times; prints `ok`).
 */
public class WordCount {
  static final int WORDS = 10;

  public static void main(String[] args) throws Exception {
    switch (args[1]) {
      case "count": count(args[0], args[2]); break;
      case "write": write(args[0], Integer.parseInt(args[2])); break;
      default: read(args[0], Integer.parseInt(args[2]));
    }
  }

  static void count(String broker, String directory) {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("application.id", "word-count");
    p.put("processing.guarantee", "exactly_once_v2");
    p.put("state.dir", directory);
    p.put("commit.interval.ms", "200");
    p.put("replication.factor", "1");
    p.put("num.stream.threads", "1");
    p.put("consumer.session.timeout.ms", "6000");
    p.put("default.key.serde", Serdes.StringSerde.class.getName());
    p.put("default.value.serde", Serdes.StringSerde.class.getName());
    // Without compaction the changelog keeps everything.
    Materialized<String, Long, org.apache.kafka.streams.state.KeyValueStore<org.apache.kafka.common.utils.Bytes, byte[]>> counts =
        Materialized.as(org.apache.kafka.streams.state.Stores.inMemoryKeyValueStore("counts-store"));
    counts.withKeySerde(Serdes.String()).withValueSerde(Serdes.Long());
    Map<String, String> changelog = new HashMap<>();
    changelog.put("cleanup.policy", "delete");
    changelog.put("retention.ms", "-1");
    counts.withLoggingEnabled(changelog);
    StreamsBuilder builder = new StreamsBuilder();
    builder.<String, String>stream("lines")
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word)
        .count(counts)
        .toStream()
        .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
    KafkaStreams streams = new KafkaStreams(builder.build(), p);
    streams.setUncaughtExceptionHandler(
        e -> org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD);
    streams.start();
  }

  static void write(String broker, int lines) throws Exception {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("enable.idempotence", "true");
    p.put("key.serializer", StringSerializer.class.getName());
    p.put("value.serializer", StringSerializer.class.getName());
    StringBuilder line = new StringBuilder("w0");
    for (int i = 1; i < WORDS; i++) line.append(" w").append(i);
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(p)) {
      for (int i = 0; i < lines; i++) {
        producer.send(new ProducerRecord<>("lines", "k" + i, line.toString()));
        Thread.sleep(50);
      }
      producer.flush();
    }
  }

  static void read(String broker, long wanted) {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("group.id", "counts-reader");
    p.put("isolation.level", "read_committed");
    p.put("key.deserializer", StringDeserializer.class.getName());
    p.put("value.deserializer", LongDeserializer.class.getName());
    try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(p)) {
      List<TopicPartition> parts = Arrays.asList(new TopicPartition("counts", 0), new TopicPartition("counts", 1));
      consumer.assign(parts);
      consumer.seekToBeginning(parts);
      Map<String, Long> counts = new TreeMap<>();
      long deadline = System.currentTimeMillis() + 120_000;
      while (counts.size() < WORDS || counts.values().stream().anyMatch(n -> n < wanted)) {
        if (System.currentTimeMillis() > deadline) throw new RuntimeException("counted " + counts);
        for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(500))) {
          Long before = counts.put(r.key(), r.value());
          if (before != null && r.value() <= before) throw new RuntimeException(r.key() + " went back from " + before + " to " + r.value());
        }
      }
      if (counts.values().stream().anyMatch(n -> n != wanted)) throw new RuntimeException("counted too much: " + counts);
      System.out.println("ok");
    }
  }
}
