"""Load by librdkafka: PORT TOPIC PARTITIONS RECORD_BYTES TOTAL_BYTES. Prints `bytes seconds`, values only."""
import sys, time
from confluent_kafka import Producer

port, topic, partitions, size, total = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
producer = Producer({
    "bootstrap.servers": f"127.0.0.1:{port}",
    "acks": "all",
    "linger.ms": 5,
    "batch.size": 1000000,
    "batch.num.messages": 100000,
    "queue.buffering.max.messages": 1000000,
    "queue.buffering.max.kbytes": 262144,
})
failed = []
value = bytes((i * 2654435761 >> 13) & 0xFF for i in range(size))
count = total // size
# The Python call costs more than the client itself; the clock is about throughput only, the broker's CPU is what counts.
started = time.monotonic()
for i in range(count):
    while True:
        try:
            producer.produce(topic, value, partition=i % partitions)
            break
        except BufferError:
            producer.poll(0.01)
assert producer.flush(120) == 0
print(count * size, time.monotonic() - started)
