// A worker owns one search, so that the page never waits for it.
//
// In: {id, type, …} with one answer each, {id, value} or {id, error}. Types:
//   open      {request, device, images?, snapshot?, events?}  a search from its start or a snapshot;
//                             answers {config, catalogues, kind, why}: its settings, what the program
//                             offers, the kind of device and why that
//   view      {text}          the events of a search that ran elsewhere
//   play      {delay, parts}  go on: at most one step (part of a step) every `delay` ms
//   pause     {}              after the step under way
//   step      {parts}         one step, or one part of it
//   want      {figures}       which figures the page shows
//   table     {name}          the numbers of a figure as CSV
//   hessian   {}              how sharp the validation loss is now, as an event
//   landscape {grid, images}  the accuracy around where the search stands, a point at a time; the
//                             search may go on between two points. Answers whether it came to its end
//   cancel    {}              ends the landscape after the point under way
//   scale     {low, high}     accuracies that the colours of the landscape have to hold
//   genotype  {}  snapshot {}  files to save
// Out, unasked: {note: 'event', line} {note: 'part', part} {note: 'frame', frame}
//   {note: 'snapshot', bytes, events} {note: 'finished'} {note: 'failed', message}

import init, { Compute, Images, Search, Viewer, catalogues, resolve } from '../pkg/smoothdarts.js';
import { bytes } from './fetch.js';
import { decode } from './images.js';

/** Time between two pictures and between two snapshots, in ms. */
const FRAME = 150;
const SNAPSHOT = 2000;

const DATASET = 'fashion-mnist';
const FILES = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz', 't10k-labels-idx1-ubyte.gz'];

let search = null;
let viewer = null;
let wanted = [];
let playing = null; // {delay, parts} while it runs
let scanning = null; // the landscape under way
let lastFrame = 0;
let lastSnapshot = 0;
let tail = Promise.resolve();

const note = (kind, more = {}, transfer = []) => postMessage({ note: kind, ...more }, transfer);
const failed = message => {
  playing = null;
  note('failed', { message: message.replace(/\s*Backtrace:\s*No backtrace available/g, '') });
};

self.smoothdartsPanicked = message => failed(`The search crashed: ${message}`);
self.smoothdartsDeviceLost = message => failed(`The GPU is gone: ${message || 'the browser lost the device'}`);

/** One call into the search at a time. */
function exclusive(job) {
  const result = tail.then(job);
  tail = result.catch(() => {});
  return result;
}

async function compute(asked) {
  if (asked === 'cpu') return { compute: Compute.cpu(), kind: 'cpu', why: 'as set' };
  const adapter = await navigator.gpu?.requestAdapter();
  const name = adapter ? [adapter.info.vendor, adapter.info.architecture, adapter.info.description]
    .filter(Boolean).join(' ') : '';
  // A GPU in software is slower than the CPU path.
  const software = adapter?.info.isFallbackAdapter || /swiftshader|llvmpipe|software/i.test(name);
  if (asked === 'wgpu' && !adapter) throw new Error('This browser offers no WebGPU. Set the device to cpu or auto.');
  if (adapter && (asked === 'wgpu' || !software)) {
    try {
      return { compute: await Compute.webgpu(`webgpu (${name || 'unnamed adapter'})`), kind: 'webgpu', why: name };
    } catch (error) {
      if (asked === 'wgpu') throw error;
      return { compute: Compute.cpu(), kind: 'cpu', why: `WebGPU refuses: ${error.message}` };
    }
  }
  return { compute: Compute.cpu(), kind: 'cpu', why: adapter ? 'WebGPU is emulated here' : 'no WebGPU' };
}

async function embedded() {
  const contents = await Promise.all(FILES.map(file => bytes(new URL(`../data/${DATASET}/${file}`, import.meta.url))));
  return Images.fromFiles(DATASET, FILES, contents);
}

async function open({ request, device, images, snapshot, events }) {
  await ready;
  const config = JSON.parse(resolve(request));
  if (!images && config.data.name !== DATASET) {
    throw new Error(`The page has the images of ${DATASET} only, not of ${config.data.name}`);
  }
  const data = images ? await own(images, config.data.image_size || 32) : await embedded();
  const found = await compute(device);
  search = Search.create(request, data, found.compute);
  if (snapshot) search.restore(new Uint8Array(snapshot), events);
  await frame();
  return { config, catalogues: JSON.parse(catalogues()), kind: found.kind, why: found.why };
}

async function own(files, size) {
  const { pixels, labels, classes } = await decode(files, size);
  return Images.fromPixels(pixels, labels, size, classes);
}

async function view({ text }) {
  await ready;
  viewer = Viewer.open(text);
  await frame();
}

async function frame() {
  const source = search ?? viewer;
  if (!source) return;
  note('frame', { frame: JSON.parse(await source.frame(wanted)) });
  lastFrame = performance.now();
}

async function save() {
  const snapshot = await search.snapshot();
  lastSnapshot = performance.now();
  note('snapshot', { bytes: snapshot.buffer, events: search.events }, [snapshot.buffer]);
}

/** One step, or one part of a step; false at the end of the search. */
async function advance(parts) {
  if (parts) {
    const text = await search.advancePart();
    if (text === undefined) return false;
    const part = JSON.parse(text);
    if (part.part === 'event') note('event', { line: JSON.stringify(part.event) });
    note('part', { part });
    await frame();
  } else {
    const line = await search.advance();
    if (line === undefined) return false;
    note('event', { line });
    if (performance.now() - lastFrame > FRAME || !playing) await frame();
  }
  if (search.canSave && performance.now() - lastSnapshot > SNAPSHOT) await save();
  return true;
}

/** Goes on until paused. */
async function run() {
  while (playing) {
    const began = performance.now();
    const { delay, parts } = playing;
    const more = await exclusive(() => playing ? advance(parts) : true);
    if (!more) {
      playing = null;
      await exclusive(frame);
      await exclusive(save);
      note('finished');
    }
    const rest = delay - (performance.now() - began);
    await new Promise(done => setTimeout(done, Math.max(0, rest)));
  }
}

/** A stream of events begins with the start of the search. */
async function begin() {
  if (!search.events) await advance(false);
}

async function hessian() {
  await begin();
  note('event', { line: await search.measureHessian() });
  await frame();
  if (search.canSave) await save();
}

/** Measures point after point until it is done, cancelled or replaced by another landscape. */
async function landscape({ grid, images }) {
  const own = scanning = {};
  const point = async () => {
    if (scanning !== own) return false;
    const more = await search.measurePoint();
    if (!more || performance.now() - lastFrame > FRAME) await frame();
    return more;
  };
  try {
    await exclusive(async () => {
      await begin();
      await search.startLandscape(grid, images);
      await frame();
    });
    // Messages are taken between two points.
    while (await exclusive(point)) await new Promise(done => setTimeout(done));
    return scanning === own;
  } finally {
    if (scanning === own) scanning = null;
  }
}

const answers = {
  open: message => exclusive(() => open(message)),
  view: message => exclusive(() => view(message)),
  play({ delay, parts }) {
    const idle = !playing;
    playing = { delay, parts };
    if (idle) run().catch(error => failed(error.message ?? String(error)));
  },
  async pause() {
    playing = null;
    await exclusive(frame);
    if (search?.canSave) await exclusive(save);
  },
  async step({ parts }) {
    playing = null;
    const more = await exclusive(() => advance(parts));
    if (!more) note('finished');
  },
  async want({ figures }) {
    wanted = figures;
    if (!playing) await exclusive(frame);
  },
  table: ({ name }) => exclusive(() => (search ?? viewer).table(name)),
  hessian: () => exclusive(hessian),
  landscape,
  cancel() {
    scanning = null;
  },
  async scale({ low, high }) {
    await exclusive(() => search.setScale(low, high));
    if (!playing && !scanning) await exclusive(frame);
  },
  genotype: () => exclusive(() => (search ?? viewer).genotype()),
  async snapshot() {
    await exclusive(save);
  },
};

const ready = bytes(new URL('../pkg/smoothdarts.wasm.gz', import.meta.url), true)
  .then(module => init({ module_or_path: module }))
  .then(exports => exports.__wasm_call_ctors()); // once; see EXPORT_REGISTRATION of site.rs
ready.catch(() => {}); // told by whoever waits for it

onmessage = async ({ data }) => {
  try {
    const value = await answers[data.type](data);
    postMessage({ id: data.id, value });
  } catch (error) {
    postMessage({ id: data.id, error: error?.message ?? String(error) });
  }
};
