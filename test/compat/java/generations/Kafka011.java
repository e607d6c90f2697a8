import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/** 0.11 and 1: record batches with headers, idempotent producers. */
public final class Kafka011 extends GroupMatrix {
    private Kafka011(String[] args) {
        super(args);
    }

    public static void main(String[] args) throws Exception {
        new Kafka011(args).run(args[3].split(","), args[4].split(","));
    }

    @Override
    boolean hasIdempotence() {
        return true;
    }

    @Override
    ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, byte[] key, byte[] value) {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, time, key, value);
        record.headers().add("by", name.getBytes(StandardCharsets.UTF_8));
        return record;
    }

    @Override
    ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) {
        return consumer.poll(100);
    }

    @Override
    long timestamp(ConsumerRecord<byte[], byte[]> record) {
        return record.timestamp();
    }

    @Override
    String headers(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder text = new StringBuilder("-");
        for (Header header : record.headers()) {
            text.append(header.key()).append('=').append(new String(header.value(), StandardCharsets.UTF_8));
        }
        return text.toString();
    }
}
