// The searches of the page, kept while they run, so that a reload goes on: IndexedDB. A snapshot
// replaces the one before; of what a search says only the new lines are written.

const NAME = 'smoothdarts';
const VERSION = 2;
const STORES = ['state', 'snapshots', 'lines'];

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, VERSION);
    opening.onupgradeneeded = () => {
      for (const name of [...opening.result.objectStoreNames]) opening.result.deleteObjectStore(name);
      for (const name of STORES) opening.result.createObjectStore(name);
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => resolve(opening.result);
  });
}

/** `act` gets the stores and may return a request; fulfilled with its result when all is written. */
async function transaction(mode, act) {
  const open = await database();
  try {
    return await new Promise((resolve, reject) => {
      const all = open.transaction(STORES, mode);
      const request = act(Object.fromEntries(STORES.map(name => [name, all.objectStore(name)])));
      all.oncomplete = () => resolve(request?.result);
      all.onabort = () => reject(all.error);
    });
  } finally {
    open.close();
  }
}

/**
 * Begins to keep the searches of an address, after what is kept of them if they go on. Gives the id
 * that `mark` and `keep` need: of several tabs the last one keeps.
 */
export async function begin(address, goesOn) {
  const id = Math.random();
  await transaction('readwrite', stores => {
    if (!goesOn) STORES.forEach(name => stores[name].clear());
    stores.state.put({ address, id, playing: false }, 'state');
  });
  return id;
}

/** Acts on the stores if they are still those of this id. */
const ifOurs = (id, act) => transaction('readwrite', stores => {
  const asking = stores.state.get('state');
  asking.onsuccess = () => { if (asking.result?.id === id) act(stores, asking.result); };
});

/** Keeps whether the searches play. */
export const mark = (id, playing) => ifOurs(id, ({ state }, now) => { state.put({ ...now, playing }, 'state'); });

/** Keeps the snapshot of a lane, and what its search has said since line `from`. */
export const keep = (id, lane, snapshot, from, lines) => ifOurs(id, stores => {
  stores.snapshots.put(snapshot, lane);
  if (lines.length) stores.lines.put(lines, [lane, from]);
});

/** What is kept for an address: {playing, searches: a {snapshot, lines} or null for each lane}, or null. */
export async function kept(address, lanes) {
  const state = await transaction('readonly', stores => stores.state.get('state'));
  if (state?.address !== address) return null;
  const searches = await Promise.all(lanes.map(async lane => {
    const snapshot = await transaction('readonly', stores => stores.snapshots.get(lane));
    const parts = await transaction('readonly', stores => stores.lines.getAll(IDBKeyRange.bound([lane, 0], [lane, Infinity])));
    return snapshot ? { snapshot, lines: parts.flat() } : null;
  }));
  return { playing: state.playing, searches };
}
