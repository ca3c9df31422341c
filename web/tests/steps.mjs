// How long a step takes on the page's CPU path, by hand: builds of the page in turns, under Node, where nothing is
// drawn and nothing else runs. Usage:
//   node steps.mjs SITE[:THREADS] [SITE[:THREADS]…] [SETTING=NUMBER…]
// with folders that `cargo run -p web -- --out SITE` wrote, for THREADS with --threads. Settings and images are those of the
// page's preset; SETTING is one of the section search, such as channels.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { DATASET, FILES } from '../www/js/assets.js';

const METHODS = ['darts', 'sdarts-adv'];
const ROUNDS = 6;
/** Of a round and a method; the first ones warm up. */
const [STEPS, WARM] = [34, 6];

globalThis.smoothdartsPanicked = message => { throw new Error(message); };
globalThis.smoothdartsDeviceLost = globalThis.smoothdartsPanicked;

/** The JavaScript that calls a module, once more for every name. */
const glue = (code, name) => import(`data:text/javascript;base64,${code}#${encodeURIComponent(name)}`);

/** Computes for the search, as www/js/thread.js does. */
async function lend({ code, module, memory }) {
  const { default: init, lendThread } = await glue(code, 'thread');
  await init({ module_or_path: module, memory });
  parentPort.postMessage('ready');
  lendThread();
}

/** The module of a site, ready to search. */
async function load(build) {
  const [site, count] = build.split(':');
  const folder = join(site, count ? 'pkg/threads' : 'pkg');
  const code = readFileSync(join(folder, 'smoothdarts.js'), 'base64');
  const page = await glue(code, build);
  const module = new WebAssembly.Module(gunzipSync(readFileSync(join(folder, 'smoothdarts.wasm.gz'))));
  const { memory, __wasm_call_ctors } = await page.default({ module_or_path: module });
  __wasm_call_ctors();
  if (count) {
    const others = Array.from({ length: count - 1 }, () => new Worker(new URL(import.meta.url), { workerData: { code, module, memory } }));
    await Promise.all(others.map(other => new Promise((done, failed) => other.once('message', done).once('error', failed))));
    page.startThreads(Number(count));
  }
  const files = FILES.map(name => new Uint8Array(readFileSync(join(site, 'data', DATASET, name))));
  return { build, page, files, times: Object.fromEntries(METHODS.map(method => [method, []])) };
}

/** Times the steps of a search from its start. */
async function time({ page: { Images, Compute, Search }, files, times }, method, settings) {
  const images = Images.fromFiles(DATASET, FILES, files);
  const request = { preset: 'browser', settings: { search: { method, epochs: STEPS, ...settings } } };
  const search = Search.create(JSON.stringify(request), images, Compute.cpu(1));
  for (let done = 0; done < STEPS;) {
    const began = performance.now();
    const { type } = JSON.parse(await search.advance());
    const took = performance.now() - began;
    if (type === 'step' && ++done > WARM) times[method].push(took);
  }
}

async function compare(given) {
  const settings = Object.fromEntries(given.filter(one => one.includes('=')).map(one => one.split('=')).map(([name, value]) => [name, Number(value)]));
  const builds = [];
  for (const build of given.filter(one => !one.includes('='))) builds.push(await load(build));
  for (let round = 0; round < ROUNDS; round++) {
    for (const build of round % 2 ? builds.toReversed() : builds) {
      for (const method of METHODS) await time(build, method, settings);
    }
  }
  for (const { build, times } of builds) {
    for (const [method, all] of Object.entries(times)) {
      const sorted = all.toSorted((one, other) => one - other);
      const at = share => sorted[Math.floor(share * (sorted.length - 1))].toFixed(2);
      console.log(`${build}, ${method}: median ${at(0.5)} ms, half of ${all.length} steps from ${at(0.25)} to ${at(0.75)}`);
    }
  }
}

if (isMainThread) {
  await compare(process.argv.slice(2));
  process.exit(); // the threads wait for ever
} else {
  await lend(workerData);
}
