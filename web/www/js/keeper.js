// Keeps the searches of the page while they run.

import * as store from './store.js';

export class Keeper {
  #id = null;
  #lines = new Map();
  #turn = Promise.resolve();

  /** What is kept of the searches of an address; null if nothing is or can be. */
  async kept(address, lanes) {
    const found = await store.kept(address, lanes).catch(() => null);
    return found?.searches.some(Boolean) ? found : null;
  }

  /** Begins to keep the searches of an address; `searches` go on, null if they are new. */
  begin(address, searches) {
    this.#id = null;
    this.#lines = new Map(searches?.map((saved, lane) => [lane, saved?.snapshot.events ?? 0]));
    this.#after(async () => { this.#id = await store.begin(address, Boolean(searches)); });
  }

  /** Keeps no more, as what is shown is not of the address alone. */
  end() { this.#after(async () => { this.#id = null; }); }

  /** Keeps whether they play. */
  mark(playing) { this.#after(() => store.mark(this.#id, playing)); }

  /** Keeps the last snapshot of a lane. */
  keep(lane, { snapshot, lines }) {
    const from = this.#lines.get(lane) ?? 0;
    const said = lines.slice(from, snapshot.events);
    this.#after(async () => {
      await store.keep(this.#id, lane, snapshot, from, said);
      this.#lines.set(lane, Math.max(from, snapshot.events));
    });
  }

  /** One after another; where nothing can be stored the page works without. */
  #after(act) { this.#turn = this.#turn.then(act).catch(() => {}); }
}
