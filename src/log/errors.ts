/** Errors of the log: MR50xx. */
import { defineErrors } from '../base/index.ts';

export const logErrors = defineErrors({
  diskFull: {
    code: 'MR5001',
    text: 'the disk of {directory} is full',
    retry: 'backoff',
    kafka: 56,
    exit: 1,
    help: 'Free space or lower retention; what was acknowledged is kept, reads go on, and writes resume by themselves.',
  },
  writeFailed: {
    code: 'MR5002',
    text: 'writing or syncing {file} failed: {reason}; the log takes no more writes',
    kafka: 56,
    exit: 1,
    help: 'A failed sync cannot be trusted when tried again: check the disk, then start anew; recovery reads what is durable.',
  },
  damaged: {
    code: 'MR5003',
    text: 'damage in {file} at byte {position}: {reason}; {lost}',
    kafka: 2,
    exit: 1,
    help: 'This is no torn tail, so nothing was cut. Run `millrace log check`, restore the file from a copy if there is one.',
  },
  corruptRead: {
    code: 'MR5004',
    text: 'damage in {file} at byte {position}: the batch of {topic}/{partition} at offset {offset} is not what was written: {reason}',
    kafka: 2,
    help: 'Run `millrace log check` on the data directory; the batch is not served.',
  },
  outOfOrderSequence: {
    code: 'MR5005',
    text: 'producer {producerId} sent sequence {sequence}, expected {expected}',
    kafka: 45,
    help: 'The producer lost a batch before this one; an idempotent client resends in order by itself.',
  },
  staleProducerEpoch: {
    code: 'MR5006',
    text: 'producer {producerId} wrote with epoch {epoch}, the newest is {newest}',
    kafka: 47,
    help: 'Another instance of the producer has taken over; this one must stop.',
  },
  topicExists: {
    code: 'MR5007',
    text: 'topic {topic} exists already',
    kafka: 36,
    exit: 1,
    help: 'Use the existing topic or choose another name; names that differ in `.` and `_` only collide.',
  },
  closed: {
    code: 'MR5008',
    text: 'the log is closed',
    kafka: 56,
    exit: 1,
    help: 'The process is shutting down; try again when it is back.',
  },
  topicGone: {
    code: 'MR5009',
    text: 'topic {topic} was deleted',
    kafka: 3,
    exit: 4,
    help: 'Create it again or write elsewhere.',
  },
  readOnly: {
    code: 'MR5010',
    text: 'the log takes no writes: {reason}',
    kafka: 56,
    exit: 1,
    help: 'See the first error in the log of the process; start anew when its cause is mended.',
  },
  offsetBeyondEnd: {
    code: 'MR5011',
    text: 'offset {offset} is not in {topic}/{partition}, which holds {start} to {end}',
    kafka: 1,
    exit: 1,
    help: 'Choose an offset between the first one kept and the end.',
  },
  missingOffsets: {
    code: 'MR5012',
    text: 'offsets {from} to {to} of {topic}/{partition} are missing from the journal, expected near {file}',
    exit: 1,
    help: 'A journal file was removed or cut. Run `millrace log check`, restore the file from a copy if there is one.',
  },
  unreadable: {
    code: 'MR5013',
    text: '{file} cannot be read at byte {position}: {reason}',
    kafka: 56,
    exit: 1,
    help: 'Check the disk (its kernel messages, its health) and the permissions of the data directory.',
  },
  otherFormat: {
    code: 'MR5014',
    text: '{file} has format {format}, which this version does not read',
    exit: 1,
    help: 'Start the version of Millrace that wrote it, or begin with another data directory.',
  },
});
