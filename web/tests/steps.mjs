// How long a step takes on the page's CPU path, by hand: builds of the page in turns, under Node, where nothing is
// drawn and nothing else runs. Usage:
//   node steps.mjs SITE [SITE…]
// with folders that `cargo run -p web -- --out SITE` wrote. Settings and images are those of the page's preset.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DATASET, FILES } from '../www/js/assets.js';

const METHODS = ['darts', 'sdarts-adv'];
const ROUNDS = 6;
/** Of a round and a method; the first ones warm up. */
const [STEPS, WARM] = [34, 6];

globalThis.smoothdartsPanicked = message => { throw new Error(message); };
globalThis.smoothdartsDeviceLost = globalThis.smoothdartsPanicked;

/** The module of a site, ready to search. */
async function load(site) {
  const code = readFileSync(join(site, 'pkg/smoothdarts.js'), 'base64');
  const page = await import(`data:text/javascript;base64,${code}`);
  const module = new WebAssembly.Module(gunzipSync(readFileSync(join(site, 'pkg/smoothdarts.wasm.gz'))));
  (await page.default({ module_or_path: module })).__wasm_call_ctors();
  const files = FILES.map(name => new Uint8Array(readFileSync(join(site, 'data', DATASET, name))));
  return { site, page, files, times: Object.fromEntries(METHODS.map(method => [method, []])) };
}

/** Times the steps of a search from its start. */
async function time({ page: { Images, Compute, Search }, files, times }, method) {
  const images = Images.fromFiles(DATASET, FILES, files);
  const search = Search.create(JSON.stringify({ preset: 'browser', settings: { search: { method } } }), images, Compute.cpu(1));
  for (let done = 0; done < STEPS;) {
    const began = performance.now();
    const { type } = JSON.parse(await search.advance());
    const took = performance.now() - began;
    if (type === 'step' && ++done > WARM) times[method].push(took);
  }
}

const builds = [];
for (const site of process.argv.slice(2)) builds.push(await load(site));
for (let round = 0; round < ROUNDS; round++) {
  for (const build of round % 2 ? builds.toReversed() : builds) {
    for (const method of METHODS) await time(build, method);
  }
}
for (const { site, times } of builds) {
  for (const [method, all] of Object.entries(times)) {
    const sorted = all.toSorted((one, other) => one - other);
    const at = share => sorted[Math.floor(share * (sorted.length - 1))].toFixed(2);
    console.log(`${site}, ${method}: median ${at(0.5)} ms, half of ${all.length} steps from ${at(0.25)} to ${at(0.75)}`);
  }
}
