// The searches of the page, kept while the page is away: IndexedDB, one record.

const NAME = 'smoothdarts';

function transaction(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(NAME);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction(NAME, mode).objectStore(NAME));
      request.onsuccess = () => { opening.result.close(); resolve(request.result); };
      request.onerror = () => { opening.result.close(); reject(request.error); };
    };
  });
}

export const keep = record => transaction('readwrite', store => store.put(record, 'last'));
export const kept = () => transaction('readonly', store => store.get('last'));
export const forget = () => transaction('readwrite', store => store.delete('last'));
