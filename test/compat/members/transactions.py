"""Transactions by confluent-kafka: committed and aborted ones, offsets in them, fencing. Arguments: broker, topic, topic."""
import sys

import confluent_kafka as ck

broker, source, target = sys.argv[1:]


def producer():
    made = ck.Producer({"bootstrap.servers": broker, "transactional.id": "py", "transaction.timeout.ms": 10000})
    made.init_transactions(20)
    return made


def consumer(group, isolation):
    return ck.Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


def read(isolation, topic):
    reader = consumer("reader", isolation)
    reader.assign([ck.TopicPartition(topic, partition, ck.OFFSET_BEGINNING) for partition in range(2)])
    values, ended = [], set()
    while len(ended) < 2:
        message = reader.poll(20)
        assert message is not None, "nothing came"
        if message.error():
            assert message.error().code() == ck.KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        else:
            values.append(message.value().decode())
    reader.close()
    return values


first = producer()
for i in range(6):
    first.begin_transaction()
    for j in range(50):
        first.produce(source, key=str(j), value=f"{i}-{j}")
    first.flush()
    (first.commit_transaction if i % 2 == 0 else first.abort_transaction)(20)
committed = read("read_committed", source)
assert len(committed) == 150 and {value[0] for value in committed} == {"0", "2", "4"}, len(committed)
assert len(read("read_uncommitted", source)) == 300

copier = consumer("copier", "read_committed")
copier.subscribe([source])
done = rounds = 0
while done < 150:
    messages = [message for message in copier.consume(20, 5) if not message.error()]
    if not messages:
        continue
    first.begin_transaction()
    for message in messages:
        first.produce(target, message.value())
    first.send_offsets_to_transaction(copier.position(copier.assignment()), copier.consumer_group_metadata(), 20)
    rounds += 1
    if rounds % 3:
        first.commit_transaction(20)
        done += len(messages)
        continue
    first.abort_transaction(20)
    for place in copier.committed(copier.assignment(), 20):
        if place.offset < 0:
            place.offset = ck.OFFSET_BEGINNING
        copier.seek(place)
copier.close()
assert sorted(read("read_committed", target)) == sorted(committed)

second = producer()
try:
    first.begin_transaction()
    first.produce(source, b"zombie")
    first.commit_transaction(20)
    raise AssertionError("not fenced")
except ck.KafkaException as error:
    assert error.args[0].code() == ck.KafkaError._FENCED, error
print("ok")
