/** A signed-in user: REST calls, token renewal, and one session for all tabs of the browser. */
import { language, t } from './languages.js';
import { alone, answer, askForSession, onMessage, tell } from './tabs.js';

const KEPT_AS = 'hunarmitra.session';
/** Milliseconds to wait for the tokens of a tab that has just renewed them. */
const RENEWED_MS = 2000;
/** Milliseconds until a request has failed. A network that swallows packets answers nothing, for minutes. */
const ANSWER_MS = 15_000;

/** An error answer of the server. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    const fields = Object.entries(body.fields ?? {}).map(([name, messages]) => `${name}: ${messages.join(' ')}`);
    super(fields.join(' ') || body.detail || t('error.status', { status: String(status) }));
    this.status = status;
    this.code = body.code;
    /** Milliseconds. */
    this.retryAfter = retryAfter * 1000;
  }
}

/** The server did not answer. */
export class Unreachable extends Error {
  get message() {
    return t('error.unreachable');
  }
}

export class Session {
  #tokens; // {access, refresh, id, renewedAt}: `id` names the session among the tabs
  #kept;
  #renewing;
  #off = () => {};
  /** Called once when the session ends by something else than `signOut()`. */
  onend = () => {};

  constructor(tokens, kept = false) {
    this.#tokens = { id: `${Date.now()}-${Math.random()}`, renewedAt: Date.now(), ...tokens };
    this.#kept = kept;
    if (kept) this.#off = onMessage((message) => this.#heard(message));
    this.#keep();
  }

  /** `kept`: a reload and other tabs stay signed in, until the last tab is closed; an installed page until it is signed out. */
  static async signIn(username, password, { kept = false } = {}) {
    return new Session(await call('POST', 'auth/token/', { username, password }), kept);
  }

  /** Return this tab's session, else the one that the installed page kept, else that of another tab, else null. */
  static async restored() {
    const kept = installed() ? read(localStorage) : null;
    // Another tab may have newer tokens of the kept session.
    const tokens = read(sessionStorage) ?? (await askForSession(kept?.id)) ?? kept;
    return tokens && new Session(tokens, true);
  }

  get = (path) => this.#call('GET', path);
  post = (path, body = {}) => this.#call('POST', path, body);
  patch = (path, body = {}) => this.#call('PATCH', path, body);

  /** The `token` callback of a stream. */
  token = async ({ refresh }) => {
    if (refresh) await this.#renew();
    return this.#tokens?.access ?? null;
  };

  /** End the session in all tabs at once, and on the server if it can be reached. */
  async signOut() {
    const { refresh, id } = this.#tokens ?? {};
    this.#forget();
    if (refresh) tell({ type: 'ended', id });
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

  /** Refresh tokens rotate: concurrent renewals share one request, also those of other tabs. */
  #renew() {
    const spent = this.#tokens?.refresh;
    const unlessRenewed = (wait) => () => this.#exchangeUnlessRenewed(spent, wait);
    const busy = () => alone(KEPT_AS, unlessRenewed(RENEWED_MS));
    const exchange = () => (this.#kept ? alone(KEPT_AS, unlessRenewed(), busy) : this.#exchange());
    this.#renewing ??= exchange().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** Another tab may have used the token `spent` while this one waited. */
  async #exchangeUnlessRenewed(spent, wait) {
    if (this.#tokens?.refresh === spent && !(await this.#adopt(wait))) await this.#exchange();
  }

  /** Take newer tokens of the session from another tab; return whether there were any. */
  async #adopt(wait) {
    const before = this.#tokens;
    this.#take(before && (await askForSession(before.id, { newerThan: before.renewedAt, wait })));
    // The other tab may have told of them by itself while this one asked.
    return this.#tokens !== before;
  }

  #take(tokens) {
    if (!tokens || !this.#tokens || tokens.id !== this.#tokens.id || !(tokens.renewedAt > this.#tokens.renewedAt)) return;
    this.#tokens = tokens;
    this.#keep();
  }

  #heard(message) {
    if (!this.#tokens) return;
    if (message.type === 'ask') answer(this.#tokens);
    else if (message.type === 'session') this.#take(message.tokens);
    else if (message.type === 'ended' && message.id === this.#tokens.id) {
      this.#forget();
      this.onend();
    }
  }

  async #exchange() {
    const refresh = this.#tokens?.refresh;
    if (!refresh) return;
    try {
      const tokens = await call('POST', 'auth/refresh/', { refresh });
      if (!this.#tokens) return; // signed out meanwhile
      this.#tokens = { ...this.#tokens, ...tokens, renewedAt: Date.now() };
      this.#keep();
      if (this.#kept) answer(this.#tokens);
    } catch (error) {
      if (error.status !== 401) throw error;
      if (this.#kept && (await this.#adopt())) return;
      const { id } = this.#tokens ?? {};
      this.#forget();
      if (!id) return;
      if (this.#kept) tell({ type: 'ended', id });
      this.onend();
    }
  }

  #keep() {
    if (!this.#kept) return;
    const tokens = JSON.stringify(this.#tokens);
    sessionStorage.setItem(KEPT_AS, tokens);
    // A tab that shares the session of the installed page keeps it too: a spent refresh token would end it.
    if (installed() || read(localStorage)?.id === this.#tokens.id) localStorage.setItem(KEPT_AS, tokens);
  }

  #forget() {
    const id = this.#tokens?.id;
    this.#tokens = undefined;
    this.#off();
    if (!this.#kept) return;
    sessionStorage.removeItem(KEPT_AS);
    if (id && read(localStorage)?.id === id) localStorage.removeItem(KEPT_AS);
  }
}

/** Whether this is a window of the installed page. */
const installed = () => matchMedia('(display-mode: standalone)').matches || navigator.standalone === true;

/** Return the tokens in a storage, or null. */
function read(storage) {
  try {
    return JSON.parse(storage.getItem(KEPT_AS));
  } catch {
    return null; // not ours
  }
}

/** Return the people of the demo; none except on the machine that runs it. */
export async function demoPeople() {
  const response = await fetch('demo/people/', { signal: AbortSignal.timeout(ANSWER_MS) });
  return response.ok ? (await response.json()).people : [];
}

async function call(method, path, body, access) {
  const headers = { 'Accept-Language': language, ...(access && { Authorization: `Bearer ${access}` }), ...(body && { 'Content-Type': 'application/json' }) };
  const signal = AbortSignal.timeout(ANSWER_MS);
  let response;
  let text;
  try {
    response = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body), signal });
    text = await response.text();
  } catch {
    throw new Unreachable();
  }
  const answer = parsed(text);
  if (!response.ok) throw new ApiError(response.status, answer, Number(response.headers.get('Retry-After')) || 1);
  return answer;
}

/** Return the JSON of an answer; an empty object if there is none, as in the answer of a proxy. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
