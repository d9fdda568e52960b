/** How a stream proves who it is: an access token, or a single-use ticket bought with it for every connection. */

// Two streams with the same token callback ask once: refresh tokens rotate, and the second to use one would be refused.
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
    /** Whether a new token can be had for the socket that is open. */
    this.renewable = typeof given.token === 'function';
    const custom = typeof given.ticket === 'function';
    /** Whether refused credentials can be replaced by others. */
    this.replaceable = this.renewable || custom;
    if (!given.token && !custom) throw new TypeError('a token or a ticket callback is needed');
    this.#given = given;
    this.#ticketUrl = `${httpUrl}/api/v1/realtime/tickets/`;
    this.#fetch = fetch;
  }

  async token(refresh) {
    const { token } = this.#given;
    return this.renewable ? askOnce(token, refresh) : token;
  }

  /** What to connect with, `{query, protocols}`, or null when the application says that nobody is signed in. */
  async access(refresh) {
    const { ticket, tokenInQuery } = this.#given;
    const buy = ticket === true;
    const secret = ticket && !buy ? await ticket({ refresh }) : await this.token(refresh);
    if (!secret) return null;
    if (ticket) return { query: { ticket: buy ? await this.#buyTicket(secret) : secret } };
    return tokenInQuery ? { query: { token: secret } } : { protocols: ['jwt', secret] };
  }

  async #buyTicket(token) {
    const response = await this.#fetch(this.#ticketUrl, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    if (response.ok) return (await response.json()).ticket;
    // 401 means what the close code means: this token is no good, get another.
    throw Object.assign(new Error(`no ticket: HTTP ${response.status}`), response.status === 401 && { closeCode: 4001 });
  }
}
