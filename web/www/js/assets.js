// The program and the images of the playground, fetched once for all workers.

import { bytes, unpacked } from './fetch.js';

const MODULE = new URL('../pkg/smoothdarts.wasm.gz', import.meta.url);
export const DATASET = 'fashion-mnist';
export const FILES = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz'];

let asked = null;

/** {module, files}; tells `progress(words, share)` meanwhile, the share null where it is not known. */
export function assets(progress) {
  asked ??= load(progress).catch(error => {
    asked = null; // another try may find the network again
    throw error;
  });
  return asked;
}

async function load(progress) {
  const files = Promise.all(FILES.map(file => bytes(new URL(`../data/${DATASET}/${file}`, import.meta.url))));
  files.catch(() => {}); // told below
  const packed = await bytes(MODULE, false, (received, total) => progress('Loading the program', total ? received / total : null));
  progress('Compiling the program', null);
  const module = await WebAssembly.compileStreaming(new Response(unpacked(packed), { headers: { 'Content-Type': 'application/wasm' } }));
  return { module, files: await files };
}
