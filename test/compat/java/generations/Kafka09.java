import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** 0.9: the first consumer in Java. */
public final class Kafka09 extends GroupMatrix {
    private Kafka09(String[] args) {
        super(args);
    }

    public static void main(String[] args) throws Exception {
        new Kafka09(args).run(args[3].split(","), args[4].split(","));
    }

    @Override
    ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, byte[] key, byte[] value) {
        return new ProducerRecord<byte[], byte[]>(topic, partition, key, value);
    }

    @Override
    ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) {
        return consumer.poll(100);
    }

    @Override
    long timestamp(ConsumerRecord<byte[], byte[]> record) {
        return -1;
    }

    @Override
    String headers(ConsumerRecord<byte[], byte[]> record) {
        return "-";
    }
}
