import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;

/** Since 0.9: consumers that are members of a group, and commit. */
abstract class GroupMatrix extends Matrix {
    private static final long DEADLINE_MS = 120000;

    GroupMatrix(String[] args) {
        super(args);
    }

    abstract ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer);

    abstract long timestamp(ConsumerRecord<byte[], byte[]> record);

    abstract String headers(ConsumerRecord<byte[], byte[]> record);

    @Override
    void consume(String topic, int count) {
        Map<String, Object> settings = new HashMap<String, Object>();
        settings.put("bootstrap.servers", broker);
        settings.put("client.id", name);
        settings.put("group.id", "group-" + name);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<byte[], byte[]>(settings);
        long deadline = System.currentTimeMillis() + DEADLINE_MS;
        int seen = 0;
        try {
            consumer.subscribe(Arrays.asList(topic));
            while (seen < count) {
                if (System.currentTimeMillis() > deadline) throw new IllegalStateException("only " + seen + " records");
                for (ConsumerRecord<byte[], byte[]> record : poll(consumer)) {
                    seen++;
                    print(record.partition(), record.offset(), timestamp(record), record.key(), record.value(), headers(record));
                }
            }
            consumer.commitSync();
        } finally {
            consumer.close();
        }
    }
}
