import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Kafka's own Java clients once through what a broker serves: administer, produce, consume as a group. The same source
 * runs with every version of kafka-clients since 2.8. Ends with an exception where anything goes wrong.
 */
public final class Client {
    private static final String TOPIC = "java";
    private static final String GROUP = "java-group";

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("client.id", "java");
        settings.put("group.id", GROUP);
        settings.put("group.instance.id", "first");
        settings.put("client.rack", "rack-1");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("heartbeat.interval.ms", "200");
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        try (Admin admin = Admin.create(settings)) {
            NewTopic topic = new NewTopic(TOPIC, 2, (short) 1).configs(Map.of("retention.ms", "60000"));
            admin.createTopics(List.of(topic)).all().get();
            admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(3))).all().get();
            admin.describeCluster().nodes().get();
            admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, TOPIC))).all().get();
            produce(settings, "all", true, "lz4");
            produce(settings, "1", false, "none");
            admin.listOffsets(Map.of(new TopicPartition(TOPIC, 1), OffsetSpec.latest())).all().get();
            consume(settings, admin);
            admin.deleteConsumerGroups(List.of(GROUP)).all().get();
            admin.deleteTopics(List.of(TOPIC)).all().get();
        }
    }

    private static void produce(Properties base, String acks, boolean isIdempotent, String codec) throws Exception {
        Properties settings = new Properties();
        settings.putAll(base);
        settings.put("acks", acks);
        settings.put("enable.idempotence", String.valueOf(isIdempotent));
        settings.put("compression.type", codec);
        settings.put("linger.ms", "20");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            for (int i = 0; i < 6; i++) {
                ProducerRecord<String, String> record = new ProducerRecord<>(TOPIC, i % 3, "key " + i, "value " + i);
                record.headers().add("header", "é".getBytes(StandardCharsets.UTF_8));
                producer.send(record);
            }
            producer.flush();
        }
    }

    private static void consume(Properties settings, Admin admin) throws Exception {
        Set<String> seen = new HashSet<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(TOPIC));
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            long end = System.currentTimeMillis() + 60_000;
            while (records.size() < 12 && System.currentTimeMillis() < end)
                consumer.poll(Duration.ofMillis(300)).forEach(records::add);
            for (ConsumerRecord<String, String> record : records) seen.add(record.value());
            if (records.size() != 12 || seen.size() != 6) throw new IllegalStateException("read " + records);
            consumer.commitSync();
            consumer.poll(Duration.ofMillis(1_000));
            consumer.committed(Set.of(new TopicPartition(TOPIC, 0)));
            admin.listConsumerGroups().all().get();
            admin.describeConsumerGroups(List.of(GROUP)).all().get();
            admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
            consumer.unsubscribe();
        }
        // A static member stays until its session ends or someone removes it.
        admin.removeMembersFromConsumerGroup(GROUP, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions())
            .all().get();
    }
}
