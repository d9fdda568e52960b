/** The state of the stream `live`, without the moments in which it changes its box: the map still shows everything then. */
export class SteadyState {
  #stream;
  #asking = false;

  constructor(stream) {
    this.#stream = stream;
    stream.on('state', ({ name }) => {
      if (name !== 'connecting') this.#asking = false;
    });
  }

  get state() {
    const { state } = this.#stream;
    return this.#asking && state.name === 'connecting' ? { name: 'live' } : state;
  }

  on(type, listener) {
    return this.#stream.on(type, listener);
  }

  /** Watch another box. */
  watch(request) {
    this.#asking = this.#stream.state.name === 'live';
    this.#stream.watch(request);
  }
}
