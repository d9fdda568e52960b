/** Keep the screen on: a phone whose screen is off gives no locations to a page. */
export class Screen {
  #env;
  #onChange;
  #lock;
  #wanted = false;

  constructor(env, onChange) {
    this.#env = env;
    this.#onChange = onChange;
  }

  get awake() {
    return this.#lock !== undefined;
  }

  /** Browsers release the lock of a hidden page: call this again when the page is visible. */
  async keep() {
    this.#wanted = true;
    if (this.#lock) return;
    try {
      const lock = await this.#env.navigator?.wakeLock?.request('screen');
      if (!lock) return;
      if (!this.#wanted || this.#lock) return void lock.release();
      this.#lock = lock;
      lock.addEventListener('release', () => this.#lost(lock));
      this.#onChange(true);
    } catch {
      // The page is hidden, or the battery is low.
    }
  }

  release() {
    this.#wanted = false;
    const lock = this.#lock;
    void lock?.release();
    this.#lost(lock);
  }

  #lost(lock) {
    if (!lock || this.#lock !== lock) return;
    this.#lock = undefined;
    this.#onChange(false);
  }
}
