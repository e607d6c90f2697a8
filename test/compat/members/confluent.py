"""confluent-kafka as a member of a group, or as a producer of the values on standard input: see group-of-three.ts."""
import signal
import sys
from confluent_kafka import Consumer, Producer

what, broker, name = sys.argv[1:]

if what == 'produce':
    producer = Producer({'bootstrap.servers': broker, 'enable.idempotence': True, 'compression.type': 'zstd'})
    for i, value in enumerate(sys.stdin.read().split('\n')):
        producer.produce(name, value, partition=i % 3)
    assert producer.flush(30) == 0
else:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    consumer = Consumer({
        'bootstrap.servers': broker,
        'group.id': name,
        'auto.offset.reset': 'earliest',
        'enable.auto.commit': False,
        'session.timeout.ms': 6000,
        'heartbeat.interval.ms': 500,
    })
    consumer.subscribe([name])
    while not stopped:
        messages = consumer.consume(100, 0.2)
        for message in messages:
            assert message.error() is None, message.error()
            print(message.value().decode(), flush=True)
        if messages:
            consumer.commit(asynchronous=False)
    consumer.close()
