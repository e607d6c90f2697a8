import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ConsumerProtocolAssignment;
import org.apache.kafka.common.message.ConsumerProtocolSubscription;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Reads messages with Kafka's generated classes, tells what it read, and writes them again. The same source runs with
 * every version of kafka-clients since 2.8.
 *
 *   in    i32 length, then i8 kind, i16 key, i16 version, bytes
 *         kind 0 request: header and body; 1 response: header and body; 2 embedded structure, key 0 subscription, 1
 *         assignment; 3 request header alone, version is the header's
 *   out   i32 length, then i8 0, i32 length of JSON, JSON [header, body], bytes as written again
 *         or i8 1 and the text of an exception
 */
public final class Exchange {
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
            try {
                answer = answer(ByteBuffer.wrap(frame));
            } catch (Throwable failure) {
                byte[] text = String.valueOf(failure).getBytes(StandardCharsets.UTF_8);
                answer = ByteBuffer.allocate(1 + text.length).put((byte) 1).put(text).array();
            }
            out.writeInt(answer.length);
            out.write(answer);
            if (in.available() == 0) out.flush();
        }
    }

    private static byte[] answer(ByteBuffer frame) throws Throwable {
        byte kind = frame.get();
        short key = frame.getShort();
        short version = frame.getShort();
        Message header = null;
        Message body = null;
        short headerVersion = version;
        if (kind == 0) {
            headerVersion = ApiMessageType.fromApiKey(key).requestHeaderVersion(version);
            header = new RequestHeaderData();
            body = ApiMessageType.fromApiKey(key).newRequest();
        } else if (kind == 1) {
            headerVersion = ApiMessageType.fromApiKey(key).responseHeaderVersion(version);
            header = new ResponseHeaderData();
            body = ApiMessageType.fromApiKey(key).newResponse();
        } else if (kind == 2) {
            body = key == 0 ? new ConsumerProtocolSubscription() : new ConsumerProtocolAssignment();
        } else {
            header = new RequestHeaderData();
        }
        ByteBufferAccessor source = new ByteBufferAccessor(frame.slice());
        if (header != null) header.read(source, headerVersion);
        if (body != null) body.read(source, version);
        if (source.remaining() > 0) throw new IllegalStateException(source.remaining() + " bytes left over");

        String json = "[" + json(header, headerVersion) + "," + json(body, version) + "]";
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = (header == null ? 0 : header.size(cache, headerVersion)) + (body == null ? 0 : body.size(cache, version));
        ByteBuffer bytes = ByteBuffer.allocate(5 + text.length + size);
        bytes.put((byte) 0).putInt(text.length).put(text);
        ByteBufferAccessor target = new ByteBufferAccessor(bytes);
        if (header != null) header.write(target, cache, headerVersion);
        if (body != null) body.write(target, cache, version);
        if (bytes.hasRemaining()) throw new IllegalStateException(bytes.remaining() + " bytes fewer than announced");
        return bytes.array();
    }

    /** The message's own converter, without record data, of which it tells the size. */
    private static String json(Message message, short version) throws Throwable {
        if (message == null) return "null";
        try {
            return Class.forName(message.getClass().getName() + "JsonConverter")
                .getMethod("write", message.getClass(), short.class, boolean.class)
                .invoke(null, message, version, false)
                .toString();
        } catch (InvocationTargetException failure) {
            throw failure.getCause();
        }
    }
}
