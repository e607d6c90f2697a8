import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** 0.10: messages have timestamps. */
public final class Kafka010 extends GroupMatrix {
    private Kafka010(String[] args) {
        super(args);
    }

    public static void main(String[] args) throws Exception {
        new Kafka010(args).run(args[3].split(","), args[4].split(","));
    }

    @Override
    ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, byte[] key, byte[] value) {
        return new ProducerRecord<byte[], byte[]>(topic, partition, time, key, value);
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
        return "-";
    }
}
