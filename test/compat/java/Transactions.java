import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.*;

/**
 * A transactional producer and readers of both isolation levels (Kafka clients 2.8 to 4.2): what is committed is read, what is
 * aborted is not; consume, transform and produce with offsets in the transaction; a second producer of the id fences the first.
 * Arguments: broker, prefix of the topics. Prints `ok` at the end.
 */
public class Transactions {
  static String broker;

  static KafkaProducer<String, String> producer(String id) {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("transactional.id", id);
    p.put("key.serializer", StringSerializer.class.getName());
    p.put("value.serializer", StringSerializer.class.getName());
    return new KafkaProducer<>(p);
  }

  static KafkaConsumer<String, String> consumer(String group, String isolation) {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("group.id", group);
    p.put("isolation.level", isolation);
    p.put("auto.offset.reset", "earliest");
    p.put("enable.auto.commit", "false");
    p.put("key.deserializer", StringDeserializer.class.getName());
    p.put("value.deserializer", StringDeserializer.class.getName());
    return new KafkaConsumer<>(p);
  }

  /** Everything up to the end that the isolation level sees. */
  static List<String> read(String topic, String isolation) {
    try (KafkaConsumer<String, String> c = consumer("reader", isolation)) {
      List<TopicPartition> parts = Arrays.asList(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
      c.assign(parts);
      c.seekToBeginning(parts);
      Map<TopicPartition, Long> ends = c.endOffsets(parts);
      List<String> values = new ArrayList<>();
      long deadline = System.currentTimeMillis() + 30_000;
      while (parts.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
        if (System.currentTimeMillis() > deadline) throw new RuntimeException("no end of " + topic);
        for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) values.add(r.value());
      }
      return values;
    }
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  public static void main(String[] args) throws Exception {
    broker = args[0];
    String in = args[1] + "-in", out = args[1] + "-out";
    KafkaProducer<String, String> p = producer(args[1]);
    p.initTransactions();
    for (int i = 0; i < 8; i++) {
      p.beginTransaction();
      for (int j = 0; j < 40; j++) p.send(new ProducerRecord<>(in, "k" + j, i + "-" + j));
      p.flush();
      if (i % 2 == 0) p.commitTransaction();
      else p.abortTransaction();
    }
    List<String> committed = read(in, "read_committed");
    check(committed.size() == 160, committed.size() + " committed");
    check(committed.stream().allMatch(v -> (v.charAt(0) - '0') % 2 == 0), "an aborted record was read");
    check(read(in, "read_uncommitted").size() == 320, "uncommitted");
    try (KafkaConsumer<String, String> c = consumer(args[1], "read_committed")) {
      c.subscribe(Collections.singletonList(in));
      int done = 0, rounds = 0;
      long deadline = System.currentTimeMillis() + 60_000;
      while (done < 160) {
        if (System.currentTimeMillis() > deadline) throw new RuntimeException("only " + done + " were copied");
        ConsumerRecords<String, String> records = c.poll(Duration.ofMillis(500));
        if (records.isEmpty()) continue;
        p.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> r : records) {
          p.send(new ProducerRecord<>(out, r.key(), r.value()));
          offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        p.sendOffsetsToTransaction(offsets, c.groupMetadata());
        if (rounds++ == 0) {
          p.abortTransaction();
          c.seekToBeginning(c.assignment());
        } else {
          p.commitTransaction();
          done += records.count();
        }
      }
    }
    List<String> copied = read(out, "read_committed");
    Collections.sort(copied);
    Collections.sort(committed);
    check(copied.equals(committed), "copied once each: " + copied.size());
    KafkaProducer<String, String> second = producer(args[1]);
    second.initTransactions();
    try {
      p.beginTransaction();
      p.send(new ProducerRecord<>(in, "k", "zombie"));
      p.commitTransaction();
      throw new AssertionError("not fenced");
    } catch (ProducerFencedException | org.apache.kafka.common.errors.InvalidProducerEpochException e) {
      p.close(Duration.ZERO);
    }
    second.beginTransaction();
    second.send(new ProducerRecord<>(in, "k", "8-0"));
    second.commitTransaction();
    second.close();
    check(read(in, "read_committed").size() == 161, "behind the fence");
    System.out.println("ok");
  }
}
