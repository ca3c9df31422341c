// What happens, for those who listen: the words of a live region, each long enough to be heard.

/** Milliseconds that words stay before others that can wait: two summaries read aloud; a toy's epoch takes 160. */
const HEARD = 8000;

export class Speaker {
  #region;
  #free = 0;
  #waiting;

  constructor(region) { this.#region = region; }

  /** Says at once what the visitor did or asked for. */
  say(text) {
    clearTimeout(this.#waiting);
    this.#region.textContent = text;
    this.#free = performance.now() + HEARD;
  }

  /** Says how it goes on as soon as the words before have been heard; of several that wait the last one. */
  mention(text) {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.say(text), Math.max(0, this.#free - performance.now()));
  }
}
