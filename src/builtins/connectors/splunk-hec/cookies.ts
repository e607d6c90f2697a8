/** Cookies of one endpoint: a balancer in front of collectors keeps a sender with one of them by these. */

const COOKIES_MAX = 20;
const COOKIE_CHARS_MAX = 4_096;

export class CookieJar {
  private readonly cookies = new Map<string, string>();

  /** `Set-Cookie` headers of an answer: those not named in it stay. */
  take(headers: readonly string[]): void {
    for (const header of headers) {
      const [pair = '', ...attributes] = header.split(';');
      const split = pair.indexOf('=');
      const name = pair.slice(0, split).trim();
      if (split < 1 || name === '' || pair.length > COOKIE_CHARS_MAX) continue;
      const isGone = attributes.some(attribute => /^\s*max-age\s*=\s*(?:0|-\d+)\s*$/i.test(attribute));
      if (isGone) this.cookies.delete(name);
      else if (this.cookies.has(name) || this.cookies.size < COOKIES_MAX)
        this.cookies.set(name, pair.slice(split + 1).trim());
    }
  }

  /** For the next request; undefined when there are none. */
  get header(): string | undefined {
    if (this.cookies.size === 0) return undefined;
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }
}
