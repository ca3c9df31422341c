// The page's side of a search: notes of its worker as events, and a restart from the last snapshot
// when the worker is stopped, crashes or loses its device.

import { assets } from './assets.js';
import { Connection, ignoreStopped } from './connection.js';
import { MOST_THREADS } from './threads.js';

export class Client extends EventTarget {
  #connection = null;
  /** A search that is being opened in the place of this one. */
  #coming = null;
  /** What to open again after a restart. */
  #opened = null;
  #wanted = [];
  #progress;
  /** Everything the search said, a line each. */
  lines = [];
  /** The last state: {bytes, events}. */
  snapshot = null;
  /** How it is playing; null if it is not. */
  playing = null;
  /** The epoch that began last. */
  epoch = 0;

  /** `progress(words, share)` hears of the loading of the program. */
  constructor(progress = () => {}) {
    super();
    this.#progress = progress;
  }

  #take(data) {
    if (data.note === 'event') this.#hear(data.line);
    if (data.note === 'snapshot') this.snapshot = { bytes: data.bytes, events: data.events };
    if (data.note === 'finished') this.playing = null;
    if (data.note === 'failed') this.#fail(data.message);
    else this.dispatchEvent(new CustomEvent(data.note, { detail: data }));
  }

  #hear(line) {
    this.lines.push(line);
    if (line.startsWith('{"type":"epoch_started"')) this.epoch = JSON.parse(line).epoch;
  }

  #fail(message) {
    if (!this.#connection) return;
    this.terminate();
    this.dispatchEvent(new CustomEvent('failed', { detail: { message } }));
  }

  /** Ends the search at once, whatever it does. The snapshot stays. */
  terminate() {
    this.abandon();
    this.#connection?.end();
    this.#connection = null;
    this.playing = null;
  }

  /** Gives up what is being opened. */
  abandon() {
    this.#coming?.end();
    this.#coming = null;
  }

  get isOpen() { return this.#connection !== null; }
  #ask(type, more) { return this.#connection ? this.#connection.ask(type, more) : Promise.reject(new Error('No search is open')); }

  /**
   * Opens a search beside the one that is here: {request, device, threads, images?}; {snapshot, lines} continues
   * one. Gives {answer, commit}: it takes the place of this one when `commit` is called.
   */
  async prepare(what, saved = null) {
    const lines = saved?.lines.slice(0, saved.snapshot?.events ?? 0) ?? [];
    const events = lines.map(line => `${line}\n`).join('');
    const { answer, commit } = await this.#begin('open', what, { snapshot: saved?.snapshot?.bytes, events });
    return {
      answer,
      commit: () => {
        this.#opened = what;
        this.lines = lines;
        this.snapshot = saved?.snapshot ?? null;
        this.epoch = lines.reduce((epoch, line) => line.startsWith('{"type":"epoch_started"') ? JSON.parse(line).epoch : epoch, 0);
        commit();
      },
    };
  }

  /** The events of a search that ran elsewhere, as `prepare`; answers the figures that there are. */
  async view(text) {
    const { answer, commit } = await this.#begin('view', null, { text });
    return {
      answer,
      commit: () => {
        this.#opened = null;
        this.lines = text.split('\n').filter(Boolean);
        this.snapshot = null;
        commit();
      },
    };
  }

  async #begin(type, what, message) {
    this.abandon();
    const held = [];
    let take = data => {
      if (data.note === 'failed') coming.end(new Error(data.message));
      held.push(data);
    };
    const coming = new Connection(data => take(data));
    this.#coming = coming;
    try {
      const onGpu = what && await coming.ask('find', { device: what.device });
      const threads = what && !onGpu ? Math.min(what.threads, MOST_THREADS) : 1;
      const { module, files } = await assets(threads, this.#progress);
      const answer = await coming.ask(type, { ...what, ...message, module, threads, files });
      return { answer, commit: () => this.#commit(coming, () => { take = data => this.#take(data); held.forEach(take); }) };
    } catch (error) {
      coming.end();
      throw error;
    }
  }

  #commit(coming, listen) {
    this.#coming = null;
    this.terminate();
    this.#connection = coming;
    if (this.#wanted.length) this.want(this.#wanted);
    listen();
  }

  /** Opens the search again if its worker was ended: at the last snapshot, without one at the start. */
  async ensure() {
    if (this.isOpen) return;
    if (!this.#opened) throw new Error('No search is open');
    const { snapshot, lines } = this;
    const { commit } = await this.prepare(this.#opened, { snapshot, lines });
    commit();
  }

  async play(how) {
    await this.ensure();
    this.playing = how;
    return this.#ask('play', how);
  }

  async pause() {
    this.playing = null;
    if (this.isOpen) await this.#ask('pause').catch(ignoreStopped);
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

  /** The last epoch that it may play; null: all. */
  allow(epoch) {
    if (this.isOpen) this.#ask('allow', { epoch }).catch(ignoreStopped);
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
