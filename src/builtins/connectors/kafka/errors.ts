/** Codes of the Kafka operators: MR72xx, in diagnostics and dead letters. */
import { defineNotices } from '../../../base/index.ts';

export const kafkaNotices = defineNotices({
  autoCommit: {
    code: 'MR7201',
    text: '`enable.auto.commit` must not be specified',
    help: 'Offsets commit when the sinks have confirmed; leave the option out.',
  },
  badOption: {
    code: 'MR7202',
    text: 'an option has a value that no property has',
    help: 'Values are numbers, texts, bools or secret("name").',
  },
  unknownKey: {
    code: 'MR7203',
    text: 'an unknown key in `aws_iam`',
    help: 'The known ones are listed with it.',
  },
  wrongType: {
    code: 'MR7204',
    text: 'a key of `aws_iam` has a value of the wrong type',
    help: 'Texts, and secrets for keys and tokens; `web_identity` and `token_endpoint` are records.',
  },
  empty: {
    code: 'MR7205',
    text: 'a key of `aws_iam` is empty',
    help: 'Give it a value, or leave it out.',
  },
  noRegion: {
    code: 'MR7206',
    text: '`aws_region` is required for Kafka MSK authentication',
    help: 'Give `aws_region`, or `region` in `aws_iam`.',
  },
  halfKey: {
    code: 'MR7207',
    text: '`access_key_id` and `secret_access_key` must be given together',
    help: 'Give both, or none and let the environment say.',
  },
  tokenWithoutKey: {
    code: 'MR7208',
    text: '`session_token` needs `access_key_id` and `secret_access_key`',
    help: 'A session token belongs to a pair of keys.',
  },
  noIam: {
    code: 'MR7209',
    text: 'authentication with AWS IAM is not implemented in this version',
    help: 'Reach the cluster over a listener with TLS, SCRAM or PLAIN.',
  },
  badOffset: {
    code: 'MR7210',
    text: 'invalid `offset` value',
    help: 'It is `beginning`, `end`, `stored`, n, -n, `s@<ms>`, `e@<ms>`, or both of the last with a comma.',
  },
  notPositive: {
    code: 'MR7211',
    text: 'a number or time that must be greater than zero',
    help: 'Leave it out for the default.',
  },
  noRole: {
    code: 'MR7212',
    text: '`web_identity` needs `assume_role`',
    help: 'Name the role that the token is exchanged for.',
  },
  otherMechanism: {
    code: 'MR7213',
    text: 'a SASL mechanism that is not the one of `aws_iam`',
    help: 'Leave the mechanism out: `aws_iam` uses OAUTHBEARER.',
  },
  identitySources: {
    code: 'MR7214',
    text: '`web_identity` needs exactly one of `token_file`, `token_endpoint` and `token`',
    help: 'Keep one of them.',
  },
  noUrl: {
    code: 'MR7215',
    text: '`token_endpoint` needs `url`',
    help: 'Give the address that hands out tokens.',
  },
  badPattern: {
    code: 'MR7216',
    text: '`topic` begins with ^ and is no valid regular expression',
    help: 'The note says what is wrong with it.',
  },
  otherGroup: {
    code: 'MR7217',
    text: '`group_id` is empty or not what `options."group.id"` says',
    help: 'Give the group in one place.',
  },
  exitOfPattern: {
    code: 'MR7218',
    text: '`exit` cannot be used with a regular expression as the topic',
    help: 'New topics may match at any time, so there is no end: name one topic, or leave `exit` out.',
  },
  notYet: {
    code: 'MR7219',
    text: 'an argument that is not implemented in this version',
    help: 'The hint says what to do instead.',
  },
  undeliverable: {
    code: 'MR7220',
    text: 'a record that the topic does not take',
    help: 'The message is the broker’s reason; it is mended there (message.max.bytes, ACLs) or in the pipeline.',
  },
  notSendable: {
    code: 'MR7221',
    text: '`topic`, `message`, `key` or `partition` gave a value that cannot be sent: the event is a dead letter',
    help: 'Filter such events out before, or give a value with `else`.',
  },
  repetition: {
    code: 'MR7222',
    text: 'the group gave partitions away before their offsets were committed: some events come again',
    help: 'It happens when a member is slow to give back; more events are then read twice, none is lost.',
  },
  unreadable: {
    code: 'MR7223',
    text: 'a record batch that cannot be read',
    help: 'The message says why; its records are dead letters, reading goes on behind it.',
  },
  moved: {
    code: 'MR7224',
    text: 'a partition is not read where it was left',
    help: 'The message says why. Raise the retention of the topic if records were removed before they were read.',
  },
  trouble: {
    code: 'MR7225',
    text: 'the cluster or the group has trouble',
    help: 'It is tried again; the message is the cause.',
  },
  held: {
    code: 'MR7226',
    text: 'a topic cannot be written at the moment',
    help: 'Records are held and tried again, and the source waits; the note is the cause. Nothing is lost.',
  },
  badTopic: {
    code: 'MR7227',
    text: 'a topic that must not be written',
    help: 'The message says why: no topic name, an internal one, or one that is not in `allowed_topics`.',
  },
  openTopic: {
    code: 'MR7228',
    text: 'a topic that is computed from events without a bound',
    help: 'Begin it with a literal prefix (`f"prefix.{name}"`), or list what is allowed in `allowed_topics`.',
  },
  leftOut: {
    code: 'MR7229',
    text: '`timestamp` or a header gave a value that no record can have: it is written without',
    help: 'A timestamp is a time from 1970 on; `headers` is a record without secrets.',
  },
  badProperty: {
    code: 'MR7230',
    text: 'an option that is no property of the client, or has a value that it cannot have',
    help: 'Names and ranges are those of librdkafka; the message says what is wrong.',
  },
  noEffect: {
    code: 'MR7231',
    text: 'an option of librdkafka that changes nothing here',
    help: 'Leave it out; the note says what there is in its place.',
  },
});
