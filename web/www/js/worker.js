// A worker owns one search, so that the page never waits for it.
//
// In: {id, type, …} with one answer each, {id, value} or {id, error}. Types:
//   find      {device}        what will compute; answers whether that is a GPU. Comes before open
//   open      {module, threads, files, request, images?, snapshot?, events?}  a search from its start or
//                             a snapshot; answers {config, catalogues, kind, why}: its settings, what
//                             the program offers, the kind of device and why that
//   view      {module, text}  the events of a search that ran elsewhere; answers the figures that there are
//   play      {delay, parts}  go on: at most one step (part of a step) every `delay` ms
//   pause     {}              after the step under way
//   step      {parts}         one step, or one part of it
//   allow     {epoch}         plays no later epoch than this; null: all
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
//   {note: 'thread', port}  a worker that computes for this one; says on the port why it ended, if it does

import { DATASET, FILES } from './assets.js';
import { decode } from './images.js';

/** Time between two pictures and, once a search has played for a while, between two snapshots, in ms. */
const FRAME = 150;
const SNAPSHOT = 1000;
/** Drawing takes at most this share of the time: with many epochs a picture costs more than a step. */
const DRAWING = 0.1;

/** How the event of a new epoch begins. */
const EPOCH = '{"type":"epoch_started"';

let program = null; // what the module exports
let found = null; // what will compute: {kind, why, must?}
let search = null;
let viewer = null;
let wanted = [];
let playing = null; // {delay, parts} while it runs
let scanning = null; // the landscape under way
let nextFrame = 0; // the time of the next picture
let epoch = 0; // that began last
let allowed = null; // the last epoch to play
let wake = () => {}; // goes on when more is allowed
let lastSnapshot = 0;
let gap = 0; // least time to the next snapshot: short at first, as a visitor may reload soon
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

/** Decides what will compute: {kind, why, must?}; `must` if nothing else will do. */
async function find(asked) {
  if (asked === 'cpu') return { kind: 'cpu', why: 'as set' };
  const adapter = await navigator.gpu?.requestAdapter();
  const name = adapter ? [adapter.info.vendor, adapter.info.architecture, adapter.info.description]
    .filter(Boolean).join(' ') : '';
  // A GPU in software is slower than the CPU path.
  const software = adapter?.info.isFallbackAdapter || /swiftshader|llvmpipe|software/i.test(name);
  if (asked === 'wgpu' && !adapter) throw new Error('This browser offers no WebGPU. Set the device to cpu or auto.');
  if (adapter && (asked === 'wgpu' || !software)) return { kind: 'webgpu', why: name, must: asked === 'wgpu' };
  return { kind: 'cpu', why: adapter ? 'WebGPU is emulated here' : 'no WebGPU' };
}

/** The device that was found, ready to compute: {compute, kind, why}. */
async function ready({ kind, why, must }, threads) {
  const { Compute } = program;
  const cpu = because => ({ compute: Compute.cpu(threads), kind: 'cpu', why: threads > 1 ? `${because}, ${threads} threads` : because });
  if (kind === 'cpu') return cpu(why);
  try {
    return { compute: await Compute.webgpu(`webgpu (${why || 'unnamed adapter'})`), kind, why };
  } catch (error) {
    if (must) throw error;
    return cpu(`WebGPU refuses: ${error.message}`);
  }
}

/** Starts the program; the compiler's types are registered once (EXPORT_REGISTRATION of site.rs). */
async function start(module, threads = 1) {
  program = await import(threads > 1 ? '../pkg/threads/smoothdarts.js' : '../pkg/smoothdarts.js');
  const { memory, __wasm_call_ctors } = await program.default({ module_or_path: module });
  __wasm_call_ctors();
  if (threads === 1) return;
  await Promise.all(Array.from({ length: threads - 1 }, () => thread(module, memory)));
  program.startThreads(threads);
}

/** Starts a worker that waits to compute for this one. A failure is told to the page, as this worker may be waiting for it. */
function thread(module, memory) {
  const { port1, port2 } = new MessageChannel();
  note('thread', { port: port1 }, [port1]);
  return new Promise((done, failed) => {
    const worker = new Worker(new URL('./thread.js', import.meta.url), { type: 'module' });
    worker.onmessage = done;
    worker.onerror = () => failed(new Error('A thread could not be started'));
    worker.postMessage({ module, memory, port: port2 }, [port2]);
  });
}

async function open({ module, threads, files, request, images, snapshot, events }) {
  await start(module, threads);
  const { Images, Search } = program;
  const config = JSON.parse(program.resolve(request));
  if (!images && config.data.name !== DATASET) {
    throw new Error(`The page has the images of ${DATASET} only, not of ${config.data.name}`);
  }
  const data = images ? await own(images, config.data.image_size || 32) : Images.fromFiles(DATASET, FILES, files);
  const { compute, kind, why } = await ready(found, threads);
  search = Search.create(request, data, compute);
  if (snapshot) search.restore(new Uint8Array(snapshot), events);
  epoch = events.split('\n').filter(line => line.startsWith(EPOCH)).length - 1;
  await frame();
  return { config, catalogues: JSON.parse(program.catalogues()), kind, why };
}

async function own(chosen, size) {
  const { pixels, labels, classes } = await decode(chosen, size);
  return program.Images.fromPixels(pixels, labels, size, classes);
}

async function view({ module, text }) {
  await start(module);
  viewer = program.Viewer.open(text);
  await frame();
  return JSON.parse(program.catalogues()).figures;
}

async function frame() {
  const source = search ?? viewer;
  if (!source) return;
  const began = performance.now();
  note('frame', { frame: JSON.parse(await source.frame(wanted)) });
  const now = performance.now();
  nextFrame = now + Math.max(FRAME, (now - began) / DRAWING);
}

/** Tells the page an event. */
function say(line) {
  if (line.startsWith(EPOCH)) epoch = JSON.parse(line).epoch;
  note('event', { line });
}

async function save() {
  const snapshot = await search.snapshot();
  lastSnapshot = performance.now();
  gap = Math.min(SNAPSHOT, Math.max(FRAME, 2 * gap));
  note('snapshot', { bytes: snapshot.buffer, events: search.events }, [snapshot.buffer]);
}

/** One step, or one part of a step; false at the end of the search. */
async function advance(parts) {
  if (parts) {
    const text = await search.advancePart();
    if (text === undefined) return false;
    const part = JSON.parse(text);
    if (part.part === 'event') say(JSON.stringify(part.event));
    note('part', { part });
    await frame();
  } else {
    const line = await search.advance();
    if (line === undefined) return false;
    say(line);
    if (performance.now() > nextFrame || !playing) await frame();
  }
  if (search.canSave && performance.now() - lastSnapshot > gap) await save();
  return true;
}

/** Goes on until paused. */
async function run() {
  while (playing) {
    if (allowed !== null && epoch > allowed) {
      await new Promise(done => { wake = done; });
      continue;
    }
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
  say(await search.measureHessian());
  await frame();
  if (search.canSave) await save();
}

/** Measures point after point until it is done, cancelled or replaced by another landscape. */
async function landscape({ grid, images }) {
  const own = scanning = {};
  const point = async () => {
    if (scanning !== own) return false;
    const more = await search.measurePoint();
    if (!more || performance.now() > nextFrame) await frame();
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
  async find({ device }) {
    found = await find(device);
    return found.kind === 'webgpu';
  },
  open: message => exclusive(() => open(message)),
  view: message => exclusive(() => view(message)),
  play({ delay, parts }) {
    const idle = !playing;
    playing = { delay, parts };
    if (idle) run().catch(error => failed(error.message ?? String(error)));
  },
  allow(message) {
    allowed = message.epoch;
    wake();
  },
  async pause() {
    playing = null;
    wake();
    await exclusive(frame);
    if (search?.canSave) await exclusive(save);
  },
  async step({ parts }) {
    playing = null;
    wake();
    const more = await exclusive(() => advance(parts));
    if (search.canSave) await exclusive(save);
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

onmessage = async ({ data }) => {
  try {
    const value = await answers[data.type](data);
    postMessage({ id: data.id, value });
  } catch (error) {
    postMessage({ id: data.id, error: error?.message ?? String(error) });
  }
};
