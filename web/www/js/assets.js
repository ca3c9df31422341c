// The program and the images of the playground, fetched once for all workers.

import { bytes, unpacked } from './fetch.js';

export const DATASET = 'fashion-mnist';
export const FILES = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz'];

const asked = new Map();

/** What is fetched under a name, once; another try may find the network again. */
function once(name, load) {
  if (!asked.has(name)) {
    asked.set(name, load().catch(error => {
      asked.delete(name);
      throw error;
    }));
  }
  return asked.get(name);
}

/**
 * {module, files}, the module with a GPU or, where a search is to have threads, with these; tells
 * `progress(words, share)` meanwhile, the share null where it is not known.
 */
export async function assets(threads, progress) {
  const files = once('files', () => Promise.all(FILES.map(file => bytes(new URL(`../data/${DATASET}/${file}`, import.meta.url)))));
  files.catch(() => {}); // told below
  const name = `../pkg/${threads > 1 ? 'threads/' : ''}smoothdarts.wasm.gz`;
  const module = await once(name, () => program(new URL(name, import.meta.url), progress));
  return { module, files: await files };
}

async function program(url, progress) {
  const packed = await bytes(url, false, (received, total) => progress('Loading the program', total ? received / total : null));
  progress('Compiling the program', null);
  return WebAssembly.compileStreaming(new Response(unpacked(packed), { headers: { 'Content-Type': 'application/wasm' } }));
}
