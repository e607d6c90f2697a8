/** Errors of formats: MR70xx, as rows carry them into dead letters. */
export const FORMAT_CODES = {
  malformedJson: 'MR7001',
  notAnObject: 'MR7002',
  topLevelArray: 'MR7003',
  schemas: 'MR7004',
  tooLong: 'MR7005',
  invalidUtf8: 'MR7006',
} as const;
