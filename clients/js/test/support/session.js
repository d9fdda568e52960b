/** A signed-in user of a real server: REST calls and token refresh. */
export class Session {
  #base;
  #tokens;

  constructor(baseUrl, tokens) {
    this.#base = `${baseUrl.replace(/\/+$/, '')}/api/v1/`;
    this.#tokens = tokens;
  }

  /** Sign in with `name:password`. */
  static async signIn(baseUrl, login) {
    const [username, ...password] = login.split(':');
    const session = new Session(baseUrl, {});
    session.#tokens = await session.#send('POST', 'auth/token/', { username, password: password.join(':') });
    return session;
  }

  /** The `token` callback of a stream. */
  token = async ({ refresh }) => {
    if (refresh) this.#tokens = { ...this.#tokens, ...(await this.#send('POST', 'auth/refresh/', { refresh: this.#tokens.refresh })) };
    return this.#tokens.access;
  };

  get = (path) => this.#send('GET', path);
  post = (path, body) => this.#send('POST', path, body);
  patch = (path, body) => this.#send('PATCH', path, body);

  async #send(method, path, body) {
    const response = await fetch(new URL(path, this.#base), {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(this.#tokens.access && { Authorization: `Bearer ${this.#tokens.access}` }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text}`);
    return JSON.parse(text);
  }
}
