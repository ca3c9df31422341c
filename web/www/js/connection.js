// A worker and the requests to it: each with an id and one answer.

/** The answer to whatever was asked of a worker that was ended. */
export class Stopped extends Error {
  constructor() { super('The search was stopped.'); }
}

export function ignoreStopped(error) {
  if (!(error instanceof Stopped)) throw error;
}

export class Connection {
  #worker;
  #next = 1;
  #waiting = new Map();

  /** `take` gets what the worker says unasked. */
  constructor(take) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => {
      if (data.id) this.#answer(data);
      else if (data.note === 'thread') data.port.onmessage = ({ data: message }) => take({ note: 'failed', message });
      else take(data);
    };
    this.#worker.onerror = event => {
      event.preventDefault();
      take({ note: 'failed', message: event.message || 'The worker could not be started' });
    };
  }

  ask(type, more = {}) {
    if (!this.#worker) return Promise.reject(new Stopped());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, type, ...more });
    });
  }

  #answer({ id, value, error }) {
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (error !== undefined) reject?.(new Error(error));
    else resolve?.(value);
  }

  /** Ends the worker at once, whatever it does; what waits is rejected with `reason`. */
  end(reason = new Stopped()) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
