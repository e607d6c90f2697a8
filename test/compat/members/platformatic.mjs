/** @platformatic/kafka as a member of a group, or as a producer of the values on standard input: see `group-of-three.ts`. */
import { createRequire } from 'node:module';

const require = createRequire(new URL('../clients/package.json', import.meta.url));
const {
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} = require('@platformatic/kafka');
const [, , what, broker, name] = process.argv;

if (what === 'produce') {
  const values = (await new Response(process.stdin).text()).split('\n');
  const producer = new Producer({
    clientId: 'platformatic-producer',
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
  });
  await producer.send({ messages: values.map((value, i) => ({ topic: name, value, partition: i % 3 })) });
  await producer.close();
} else {
  const consumer = new Consumer({
    groupId: name,
    clientId: 'platformatic-member',
    bootstrapBrokers: [broker],
    deserializers: stringDeserializers,
    sessionTimeout: 6_000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 500,
    maxWaitTime: 200,
  });
  const stream = await consumer.consume({
    topics: [name],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: true,
  });
  process.once('SIGTERM', () =>
    stream
      .close()
      .then(() => consumer.close(true))
      .then(() => process.exit()),
  );
  for await (const { value } of stream) process.stdout.write(`${value}\n`);
}
