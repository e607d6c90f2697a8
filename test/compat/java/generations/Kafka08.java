import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import kafka.api.FetchRequest;
import kafka.api.FetchRequestBuilder;
import kafka.api.PartitionOffsetRequestInfo;
import kafka.common.TopicAndPartition;
import kafka.javaapi.FetchResponse;
import kafka.javaapi.OffsetRequest;
import kafka.javaapi.consumer.SimpleConsumer;
import kafka.javaapi.producer.Producer;
import kafka.message.Message;
import kafka.message.MessageAndOffset;
import kafka.producer.KeyedMessage;
import kafka.producer.Partitioner;
import kafka.producer.ProducerConfig;
import kafka.utils.VerifiableProperties;
import org.apache.kafka.clients.producer.ProducerRecord;

/** 0.8.2: the first producer in Java, and producer and consumer in Scala, which is what 0.8.0 and 0.8.1 had. */
public final class Kafka08 extends Matrix {
    private static final int FETCH_BYTES = 1 << 16;
    private static final long DEADLINE_MS = 120000;

    private Kafka08(String[] args) {
        super(args);
    }

    public static void main(String[] args) throws Exception {
        new Kafka08(args).run(args[3].split(","), args[4].split(","));
    }

    @Override
    ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, byte[] key, byte[] value) {
        return new ProducerRecord<byte[], byte[]>(topic, partition, key, value);
    }

    @Override
    void produce(String acks, String codec) throws Exception {
        if (name.endsWith("-scala")) produceByScala(acks, codec);
        else super.produce(acks, codec);
    }

    private void produceByScala(String acks, String codec) {
        Properties settings = new Properties();
        settings.put("metadata.broker.list", broker);
        settings.put("client.id", name);
        settings.put("request.required.acks", acks.equals("all") ? "-1" : acks);
        settings.put("compression.codec", codec);
        settings.put("serializer.class", "kafka.serializer.DefaultEncoder");
        settings.put("partitioner.class", "Kafka08$ByNumber");
        Producer<byte[], byte[]> producer = new Producer<byte[], byte[]>(new ProducerConfig(settings));
        List<KeyedMessage<byte[], byte[]>> messages = new ArrayList<KeyedMessage<byte[], byte[]>>();
        for (int i = 0; i < COUNT; i++) {
            byte[] value = value(acks, codec, i);
            messages.add(new KeyedMessage<byte[], byte[]>(topic(codec), key(acks, codec, i), partition(acks), value));
        }
        producer.send(messages);
        producer.close();
    }

    /** The key of a message that only tells its partition. */
    public static final class ByNumber implements Partitioner {
        public ByNumber(VerifiableProperties settings) {
        }

        @Override
        public int partition(Object key, int partitions) {
            return (Integer) key;
        }
    }

    @Override
    void consume(String topic, int count) throws Exception {
        String[] address = broker.split(":");
        SimpleConsumer consumer = new SimpleConsumer(address[0], Integer.parseInt(address[1]), 30000, FETCH_BYTES, name);
        long deadline = System.currentTimeMillis() + DEADLINE_MS;
        int seen = 0;
        try {
            for (int partition = 0; partition < 4; partition++) {
                long end = offsetsBefore(consumer, topic, partition, kafka.api.OffsetRequest.LatestTime())[0];
                long next = offsetsBefore(consumer, topic, partition, kafka.api.OffsetRequest.EarliestTime())[0];
                while (next < end) {
                    if (System.currentTimeMillis() > deadline) throw new IllegalStateException("only " + seen + " records");
                    FetchRequest request = new FetchRequestBuilder().clientId(name).maxWait(1000).minBytes(1)
                        .addFetch(topic, partition, next, FETCH_BYTES).build();
                    FetchResponse response = consumer.fetch(request);
                    if (response.hasError()) {
                        throw new IllegalStateException("code " + response.errorCode(topic, partition));
                    }
                    for (MessageAndOffset entry : response.messageSet(topic, partition)) {
                        if (entry.offset() < next) continue;
                        Message message = entry.message();
                        print(partition, entry.offset(), -1, bytes(message.key()), bytes(message.payload()), "-");
                        next = entry.offset() + 1;
                        seen++;
                    }
                }
            }
            if (seen != count) throw new IllegalStateException(seen + " records");
        } finally {
            consumer.close();
        }
    }

    private long[] offsetsBefore(SimpleConsumer consumer, String topic, int partition, long time) {
        Map<TopicAndPartition, PartitionOffsetRequestInfo> wanted =
            new HashMap<TopicAndPartition, PartitionOffsetRequestInfo>();
        wanted.put(new TopicAndPartition(topic, partition), new PartitionOffsetRequestInfo(time, 10));
        return consumer.getOffsetsBefore(new OffsetRequest(wanted, kafka.api.OffsetRequest.CurrentVersion(), name))
            .offsets(topic, partition);
    }

    private static byte[] bytes(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }
}
