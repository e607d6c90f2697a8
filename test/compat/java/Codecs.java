import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/**
 * Compresses and inflates record data as Kafka's producers and brokers do.
 *
 *   in    i32 length, then i8 direction (0 compress, 1 inflate), i8 codec, bytes
 *   out   i32 length, then i8 0 and bytes, or i8 1 and the text of an exception
 */
public final class Codecs {
    public static void main(String[] args) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException end) {
                return;
            }
            byte[] frame = new byte[length];
            in.readFully(frame);
            byte[] answer;
            byte kind = 0;
            try {
                answer = answer(frame);
            } catch (Throwable failure) {
                kind = 1;
                answer = String.valueOf(failure).getBytes(StandardCharsets.UTF_8);
            }
            out.writeInt(answer.length + 1);
            out.writeByte(kind);
            out.write(answer);
            if (in.available() == 0) out.flush();
        }
    }

    private static byte[] answer(byte[] frame) throws IOException {
        Compression codec = Compression.of(CompressionType.forId(frame[1])).build();
        ByteBuffer bytes = ByteBuffer.wrap(frame, 2, frame.length - 2).slice();
        if (frame[0] == 1) {
            try (InputStream inflated = codec.wrapForInput(bytes, RecordBatch.MAGIC_VALUE_V2, BufferSupplier.NO_CACHING)) {
                return inflated.readAllBytes();
            }
        }
        ByteBufferOutputStream target = new ByteBufferOutputStream(frame.length + 64);
        try (OutputStream stream = codec.wrapForOutput(target, RecordBatch.MAGIC_VALUE_V2)) {
            // In pieces, as records come.
            byte[] all = new byte[bytes.remaining()];
            bytes.get(all);
            for (int at = 0; at < all.length; at += 1_000) stream.write(all, at, Math.min(1_000, all.length - at));
        }
        ByteBuffer written = target.buffer();
        written.flip();
        byte[] result = new byte[written.remaining()];
        written.get(result);
        return result;
    }
}
