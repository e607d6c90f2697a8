/** A running `test/compat/java/Exchange.java` with the jars of one Kafka version: reads our bytes and writes them again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { peerLibs } from '../peers/fetch.ts';
import type { JarName } from './kafka-schema.ts';

const SOURCE = join(import.meta.dirname, '../java/Exchange.java');

export const KIND = { request: 0, response: 1, embedded: 2, requestHeader: 3 } as const;
export type Kind = keyof typeof KIND;

export interface Judgement {
  /** What Kafka's converters make of header and body; null where there is none. */
  readonly header: unknown;
  readonly body: unknown;
  /** Header and body as Kafka writes them. */
  readonly bytes: Buffer;
}

interface Waiting {
  resolve(answer: Judgement): void;
  reject(error: Error): void;
}

/** Answers come in the order of the questions. */
export class Judge {
  private readonly child: ChildProcess;
  private readonly waiting: Waiting[] = [];
  private pending: Buffer = Buffer.alloc(0);
  private complaints = '';

  constructor(jar: JarName) {
    // Java compiles a single source file by itself, into memory.
    const args = ['-Xmx256m', '-cp', join(peerLibs(jar), '*'), SOURCE];
    this.child = spawn('java', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (chunk: Buffer) => this.receive(chunk));
    this.child.stderr!.on('data', chunk => (this.complaints += String(chunk)));
    this.child.stdin!.on('error', error => this.fail(error));
    this.child.on('error', error => this.fail(error));
    this.child.on('close', code => this.fail(new Error(`java ended with ${code}: ${this.complaints}`)));
  }

  ask(kind: Kind, apiKey: number, version: number, bytes: Uint8Array): Promise<Judgement> {
    const head = Buffer.alloc(9);
    head.writeInt32BE(5 + bytes.length);
    head.writeInt8(KIND[kind], 4);
    head.writeInt16BE(apiKey, 5);
    head.writeInt16BE(version, 7);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin!.write(Buffer.concat([head, bytes]));
    });
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      this.child.once('close', () => resolve());
      this.child.stdin!.end();
    });
  }

  private receive(chunk: Buffer): void {
    this.pending = Buffer.concat([this.pending, chunk]);
    while (this.pending.length >= 4 && this.pending.length >= 4 + this.pending.readInt32BE()) {
      const answer = this.pending.subarray(4, 4 + this.pending.readInt32BE());
      this.pending = this.pending.subarray(4 + answer.length);
      const { resolve, reject } = this.waiting.shift()!;
      if (answer[0] !== 0) {
        reject(new Error(`Kafka: ${answer.toString('utf8', 1)}`));
        continue;
      }
      const jsonEnd = 5 + answer.readInt32BE(1);
      const [header, body] = JSON.parse(answer.toString('utf8', 5, jsonEnd)) as [unknown, unknown];
      resolve({ header, body, bytes: answer.subarray(jsonEnd) });
    }
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
