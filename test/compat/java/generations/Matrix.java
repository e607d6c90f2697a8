import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * What a client of any age does: it writes with each way of acknowledgement and each codec that it has, then reads what all
 * others wrote. One process for all of it:
 *
 *     arguments   name, broker, time of the first records, producers (acks, separated by commas), codecs
 *     output      "produced"; then for each line "consume TOPIC COUNT" of the input the records that it reads, as
 *                 "record PARTITION OFFSET TIMESTAMP KEY VALUE HEADERS", and "end", or "failed WHY"
 *
 * Records of a producer go into the partition of its place in the list of acks. Compiled anew for each generation of the API.
 */
abstract class Matrix {
    static final int COUNT = 20;
    private static final String[] ACKS = {"0", "1", "all", "idempotent"};
    private static final String FILLER = new String(new char[40]).replace('\0', 'x');

    final PrintStream out = System.out;
    final String name;
    final String broker;
    /** Of the first record of each producer. */
    private final long time;

    Matrix(String[] args) {
        name = args[0];
        broker = args[1];
        time = Long.parseLong(args[2]);
    }

    void run(String[] acksList, String[] codecs) throws Exception {
        for (String acks : acksList) {
            for (String codec : codecs) produce(acks, codec);
        }
        out.println("produced");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            try {
                consume(words[1], Integer.parseInt(words[2]));
                out.println("end");
            } catch (Exception error) {
                out.println("failed " + String.valueOf(error).replace('\n', ' '));
            }
        }
    }

    /** With timestamp and header where the API has them. */
    abstract ProducerRecord<byte[], byte[]> record(String topic, int partition, long time, byte[] key, byte[] value);

    /** Prints as many records as there are, from the beginning. */
    abstract void consume(String topic, int count) throws Exception;

    void produce(String acks, String codec) throws Exception {
        Map<String, Object> settings = new HashMap<String, Object>();
        settings.put("bootstrap.servers", broker);
        settings.put("client.id", name);
        settings.put("acks", acks.equals("idempotent") ? "all" : acks);
        if (hasIdempotence()) settings.put("enable.idempotence", String.valueOf(acks.equals("idempotent")));
        settings.put("compression.type", codec);
        settings.put("linger.ms", "20");
        settings.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<byte[], byte[]>(settings);
        java.util.concurrent.Future<?> last = null;
        for (int i = 0; i < COUNT; i++) {
            last = producer.send(record(topic(codec), partition(acks), time + i, key(acks, codec, i), value(acks, codec, i)));
        }
        last.get();
        producer.close();
    }

    boolean hasIdempotence() {
        return false;
    }

    static String topic(String codec) {
        return codec.equals("zstd") ? "zstd" : "shared";
    }

    static int partition(String acks) {
        for (int i = 0; i < ACKS.length; i++) if (ACKS[i].equals(acks)) return i;
        throw new IllegalArgumentException(acks);
    }

    /** Of every other record; the value has the same text, but for one without a value. */
    byte[] key(String acks, String codec, int i) {
        return i % 2 == 1 ? label(acks, codec, i).getBytes(StandardCharsets.UTF_8) : null;
    }

    byte[] value(String acks, String codec, int i) {
        return i == 7 ? null : (label(acks, codec, i) + "|" + FILLER).getBytes(StandardCharsets.UTF_8);
    }

    void print(int partition, long offset, long time, byte[] key, byte[] value, String headers) {
        String valueText = text(value);
        int end = valueText.lastIndexOf('|');
        boolean isWhole = value == null || valueText.substring(end + 1).equals(FILLER);
        out.println("record " + partition + " " + offset + " " + time + " " + text(key) + " "
            + (isWhole ? (value == null ? "~" : valueText.substring(0, end)) : "damaged") + " " + headers);
    }

    private String label(String acks, String codec, int i) {
        return name + "|" + acks + "|" + codec + "|" + i;
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "~" : new String(bytes, StandardCharsets.UTF_8);
    }
}
