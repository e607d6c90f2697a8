/** kafkajs as a member of a group, or as a producer of the values on standard input: see `group-of-three.ts`. */
import { createRequire } from 'node:module';

const { Kafka, logLevel } = createRequire(new URL('../clients/package.json', import.meta.url))('kafkajs');
const [, , what, broker, name] = process.argv;
const kafka = new Kafka({ clientId: `kafkajs-${what}`, brokers: [broker], logLevel: logLevel.ERROR });

if (what === 'produce') {
  const values = (await new Response(process.stdin).text()).split('\n');
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic: name, messages: values.map((value, i) => ({ value, partition: i % 3 })) });
  await producer.disconnect();
} else {
  const consumer = kafka.consumer({
    groupId: name,
    sessionTimeout: 6_000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
  });
  process.once('SIGTERM', () => consumer.disconnect().then(() => process.exit()));
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 20,
    eachMessage: async ({ message }) => {
      process.stdout.write(`${message.value}\n`);
    },
  });
}
