// The page's side of a worker: requests with ids, notes as events, and a restart from the last
// snapshot when the worker is stopped, crashes or loses its device.

export class Client extends EventTarget {
  #worker = null;
  #next = 1;
  #waiting = new Map();
  /** What to open again after a restart. */
  #opened = null;
  #wanted = [];
  /** Everything the search said, a line each. */
  lines = [];
  /** The last state: {bytes, events}. */
  snapshot = null;
  /** Whether it is playing; and how. */
  playing = null;

  #start() {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => this.#take(data);
    this.#worker.onerror = event => {
      event.preventDefault();
      this.#fail(event.message || 'The worker could not be started.');
    };
    if (this.#wanted.length) this.#ask('want', { figures: this.#wanted });
  }

  #ask(type, more = {}) {
    if (!this.#worker) return Promise.reject(new Error('No search is open.'));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, type, ...more });
    });
  }

  #take(data) {
    if (data.id) {
      const { resolve, reject } = this.#waiting.get(data.id) ?? {};
      this.#waiting.delete(data.id);
      if (data.error !== undefined) reject?.(new Error(data.error));
      else resolve?.(data.value);
      return;
    }
    if (data.note === 'event') this.lines.push(data.line);
    if (data.note === 'snapshot') this.snapshot = { bytes: data.bytes, events: data.events };
    if (data.note === 'finished') this.playing = null;
    if (data.note === 'failed') this.#fail(data.message);
    else this.dispatchEvent(new CustomEvent(data.note, { detail: data }));
  }

  #fail(message) {
    if (!this.#worker) return;
    this.terminate();
    this.dispatchEvent(new CustomEvent('failed', { detail: { message } }));
  }

  /** Ends the worker at once, whatever it does. The snapshot stays. */
  terminate() {
    this.#worker?.terminate();
    this.#worker = null;
    this.playing = null;
    for (const { reject } of this.#waiting.values()) reject(new Stopped());
    this.#waiting.clear();
  }

  get isOpen() {
    return this.#worker !== null;
  }

  /** Opens a search: {request, device, images?}; {snapshot, lines} continues one. */
  async open(what, saved = null) {
    this.terminate();
    this.#opened = what;
    this.lines = saved?.lines ?? [];
    this.snapshot = saved?.snapshot ?? null;
    return this.#reopen();
  }

  /** A fresh worker at the last snapshot; without one at the start. */
  async #reopen() {
    this.#start();
    const { snapshot } = this;
    this.lines.length = snapshot?.events ?? 0;
    const events = this.lines.map(line => `${line}\n`).join('');
    return this.#ask('open', { ...this.#opened, snapshot: snapshot?.bytes, events });
  }

  /** Opens the search again if its worker was ended. */
  async ensure() {
    if (!this.isOpen) {
      if (!this.#opened) throw new Error('No search is open.');
      await this.#reopen();
    }
  }

  /** Opens the events of a search that ran elsewhere. */
  async view(text) {
    this.terminate();
    this.#opened = null;
    this.lines = text.split('\n').filter(Boolean);
    this.snapshot = null;
    this.#start();
    return this.#ask('view', { text });
  }

  async play(how) {
    await this.ensure();
    this.playing = how;
    return this.#ask('play', how);
  }

  async pause() {
    this.playing = null;
    if (this.isOpen) await this.#ask('pause');
  }

  async step(parts) {
    await this.ensure();
    this.playing = null;
    return this.#ask('step', { parts });
  }

  want(figures) {
    this.#wanted = figures;
    if (this.isOpen) this.#ask('want', { figures }).catch(ignoreStopped);
  }

  /** Measures the Hessian now; what it says comes as an event. */
  async hessian() {
    await this.ensure();
    return this.#ask('hessian');
  }

  /** Measures the landscape; answers whether it came to its end. */
  async landscape(how) {
    await this.ensure();
    return this.#ask('landscape', how);
  }

  cancel() {
    if (this.isOpen) this.#ask('cancel').catch(ignoreStopped);
  }

  /** Accuracies that the colours of the landscape have to hold. */
  scale(low, high) {
    if (this.isOpen) this.#ask('scale', { low, high }).catch(ignoreStopped);
  }

  table(name) { return this.#ask('table', { name }); }
  genotype() { return this.#ask('genotype'); }
  save() { return this.#ask('snapshot'); }
}

/** The answer to whatever was asked of a worker that was ended. */
export class Stopped extends Error {
  constructor() { super('The search was stopped.'); }
}

export function ignoreStopped(error) {
  if (!(error instanceof Stopped)) throw error;
}
