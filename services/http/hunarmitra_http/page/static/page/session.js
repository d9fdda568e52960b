/** A signed-in user: REST calls, with a token that is renewed when the server wants a new one. */

const KEPT_AS = 'hunarmitra.session';

/** The server answered with an error. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    const fields = Object.entries(body.fields ?? {}).map(([name, messages]) => `${name}: ${messages.join(' ')}`);
    super(fields.join(' ') || body.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code;
    /** Milliseconds. */
    this.retryAfter = retryAfter * 1000;
  }
}

/** There was no answer. */
export class Unreachable extends Error {
  constructor() {
    super('The server cannot be reached.');
  }
}

export class Session {
  #tokens;
  #kept;
  #renewing;
  /** Called once when the server ends the session. */
  onend = () => {};

  constructor(tokens, kept = false) {
    this.#tokens = tokens;
    this.#kept = kept;
    this.#keep();
  }

  /** `kept`: until the tab is closed, so that a reload stays signed in. */
  static async signIn(username, password, { kept = false } = {}) {
    return new Session(await call('POST', 'auth/token/', { username, password }), kept);
  }

  static restored() {
    try {
      const tokens = JSON.parse(sessionStorage.getItem(KEPT_AS));
      return tokens && new Session(tokens, true);
    } catch {
      return null;
    }
  }

  get = (path) => this.#call('GET', path);
  post = (path, body = {}) => this.#call('POST', path, body);
  patch = (path, body = {}) => this.#call('PATCH', path, body);

  /** For a stream's `token`. */
  token = async ({ refresh }) => {
    if (refresh) await this.#renew();
    return this.#tokens?.access ?? null;
  };

  /** Ends it here at once, and on the server when that can be reached. */
  async signOut() {
    const refresh = this.#tokens?.refresh;
    this.#forget();
    if (refresh) await call('POST', 'auth/logout/', { refresh }).catch(() => {});
  }

  async #call(method, path, body) {
    const access = this.#tokens?.access;
    try {
      return await call(method, path, body, access);
    } catch (error) {
      if (error.status !== 401) throw error;
      // Another call may have renewed it meanwhile.
      if (access === this.#tokens?.access) await this.#renew();
      return call(method, path, body, this.#tokens?.access);
    }
  }

  /** Refresh tokens rotate: whoever needs a new token while one is on its way waits for that one. */
  #renew() {
    this.#renewing ??= this.#exchange().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #exchange() {
    const refresh = this.#tokens?.refresh;
    if (!refresh) return;
    try {
      const tokens = await call('POST', 'auth/refresh/', { refresh });
      if (!this.#tokens) return; // signed out meanwhile
      this.#tokens = tokens;
      this.#keep();
    } catch (error) {
      if (error.status !== 401) throw error;
      const ended = Boolean(this.#tokens);
      this.#forget();
      if (ended) this.onend();
    }
  }

  #keep() {
    if (this.#kept) sessionStorage.setItem(KEPT_AS, JSON.stringify(this.#tokens));
  }

  #forget() {
    this.#tokens = undefined;
    if (this.#kept) sessionStorage.removeItem(KEPT_AS);
  }
}

/** Who is offered for one click: nobody except on the machine that runs the demo. */
export async function demoPeople() {
  const response = await fetch('demo/people/');
  return response.ok ? (await response.json()).people : [];
}

async function call(method, path, body, access) {
  const headers = { ...(access && { Authorization: `Bearer ${access}` }), ...(body && { 'Content-Type': 'application/json' }) };
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Unreachable();
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer, Number(response.headers.get('Retry-After')) || 1);
  return answer;
}
