// Streams share an answer: a rotating refresh token must be used once.
const asking = new WeakMap();

function askOnce(source, refresh) {
  const running = asking.get(source);
  if (running && (running.refresh || !refresh)) return running.answer;
  const answer = Promise.resolve()
    .then(() => source({ refresh }))
    .finally(() => {
      if (asking.get(source)?.answer === answer) asking.delete(source);
    });
  asking.set(source, { refresh, answer });
  return answer;
}

export class Credentials {
  #given;
  #ticketUrl;
  #fetch;

  constructor(given, httpUrl, fetch) {
    /** Whether an open connection can be given a new token. */
    this.renewable = typeof given.token === 'function';
    const custom = typeof given.ticket === 'function';
    /** Whether rejected credentials can be replaced. */
    this.replaceable = this.renewable || custom;
    if (!given.token && !custom) throw new TypeError('credentials are missing: pass `token`, or a function as `ticket`');
    this.#given = given;
    this.#ticketUrl = `${httpUrl}/api/v1/realtime/tickets/`;
    this.#fetch = fetch;
  }

  async token(refresh) {
    const { token } = this.#given;
    return this.renewable ? askOnce(token, refresh) : token;
  }

  /** Return `{query, protocols}` for one connection, or null when nobody is signed in. */
  async access(refresh) {
    const { ticket, tokenInQuery } = this.#given;
    const buy = ticket === true;
    const secret = await (ticket && !buy ? ticket({ refresh }) : this.token(refresh));
    if (!secret) return null;
    if (ticket) return { query: { ticket: buy ? await this.#buyTicket(secret) : secret } };
    return tokenInQuery ? { query: { token: secret } } : { protocols: ['jwt', secret] };
  }

  async #buyTicket(token) {
    const response = await this.#fetch(this.#ticketUrl, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout?.(20_000) });
    if (response.ok) return (await response.json()).ticket;
    throw Object.assign(new Error(`ticket request failed: HTTP ${response.status}`), response.status === 401 && { closeCode: 4001 });
  }
}
