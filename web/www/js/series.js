// Jobs one after another; of those that wait only the last.

export class Series {
  #turn = Promise.resolve();
  #last = 0;

  /** Runs a job when those before are over; undefined if a later one has come meanwhile. */
  run(job) {
    const number = ++this.#last;
    const turn = this.#turn.then(() => number === this.#last ? job() : undefined);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
