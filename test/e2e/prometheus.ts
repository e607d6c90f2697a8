/**
 * A strict reader of Prometheus' text format 0.0.4: what a scraper would stumble over.
 *
 *   # HELP name text · # TYPE name type · name{label="value",…} number
 *
 * Every family has one HELP, then one TYPE, then its samples in one piece; no sample twice; counters end in `_total`.
 */
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;
const LABELS = /^(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,(?!$)|$))*$/;

/** A histogram's samples have suffixes. */
function isPartOf(sample: string, family: string | undefined, families: ReadonlyMap<string, string>): boolean {
  const isHistogram = family !== undefined && families.get(family) === 'histogram';
  return isHistogram && ['_bucket', '_sum', '_count'].some(suffix => sample === `${family}${suffix}`);
}

export function prometheusDefects(text: string): string[] {
  const defects: string[] = [];
  const families = new Map<string, string>();
  const samples = new Set<string>();
  let helped: string | undefined;
  let family: string | undefined;
  let count = 0;
  if (!text.endsWith('\n')) defects.push('the text does not end with a newline');
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word === 'HELP') {
      if (family !== undefined && count === 0) defects.push(`${family} has no samples`);
      if (!NAME.test(name)) defects.push(`no name: ${name}`);
      helped = name;
      family = undefined;
    } else if (word === 'TYPE') {
      if (helped !== name) defects.push(`TYPE of ${name} without its HELP before it`);
      if (families.has(name)) defects.push(`${name} stands twice`);
      if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest)) defects.push(`no type: ${rest}`);
      if ((rest === 'counter') !== name.endsWith('_total')) defects.push(`${name} is a ${rest}`);
      families.set(name, rest);
      family = name;
      count = 0;
    } else {
      const [, sample, labels = ''] = SAMPLE.exec(line) ?? [];
      if (sample === undefined) defects.push(`no sample: ${line}`);
      else if (sample !== family && !isPartOf(sample, family, families))
        defects.push(`${sample} stands outside its family`);
      if (!LABELS.test(labels)) defects.push(`no labels: ${labels}`);
      const key = line.slice(0, line.lastIndexOf(' '));
      if (samples.has(key)) defects.push(`${key} stands twice`);
      samples.add(key);
      count++;
    }
  }
  if (families.size === 0) defects.push('there is nothing');
  return defects;
}
