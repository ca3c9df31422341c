// What the tests of the page drive: the server, Chromium, the page's controls, and native runs to
// compare with. The flags are those of page.mjs.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
export const { values: given } = parseArgs({ options: { modules: text, program: text, site: text, sdarts: text, screenshots: text, only: text, epochs: text, every: text, images: text, batch: text } });
const require = createRequire(`${resolve(given.modules)}/`);
const { chromium } = require('playwright-core');
export const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/**
 * A search of ten steps: settings of the page's preset made smaller. Where rounding crosses a kink of
 * ReLU or a tie of max pooling, a learning rate of 0.1 makes of it 1e-3 to 1e-1 in ten steps with a few
 * images, on any two devices. So the rate is smaller, and the seed one at which the kernels, plain
 * operations and older kernels agree within 1e-6 natively with all three methods.
 */
export const TINY = { seed: 3, 'weights.learning_rate': 0.01, 'search.epochs': 2, 'data.train_images': 80, 'search.batch_size': 8 };
/**
 * The same for WebGPU in software, which compiles and runs every kernel on the CPU; at this seed they agree
 * within 1e-5 at a rate of 0.1.
 */
export const TINIER = { seed: 0, 'search.epochs': 2, 'data.train_images': 40, 'search.batch_size': 4, 'search.cells': 2, 'search.channels': 2 };
/** Largest difference of a loss, and of α, from the native run after ten steps. */
export const TOLERANCE = { loss: 2e-3, alpha: 2e-3 };
/** The same for an end of the spectrum of the Hessian, as a share of its norm: differences of gradients. */
export const MAX_SHARPNESS = 0.02;
/** Longer than the time between two snapshots (worker.js), in ms. */
export const SNAPSHOT = 3000;
export const MAX_WASM = 3e6;
export const MAX_TASK = 50;

export const server = spawn(given.program, ['--serve', given.site, '--port', '0']);
export const url = await new Promise((found, failed) => {
  server.stdout.on('data', line => found(String(line).match(/http:\S+/)[0]));
  server.on('exit', () => failed(new Error('the server ended')));
});
export const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium', headless: true,
  args: ['--no-sandbox', '--headless=new', '--enable-unsafe-webgpu', '--enable-features=Vulkan', '--enable-unsafe-swiftshader',
    '--use-webgpu-adapter=swiftshader', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
});

/** A fresh browser profile with the page open; collects errors. `visit` gets the page before, `worker` stands before the code of every worker. */
export async function open(hash = '', { visit, worker, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on('console', message => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', error => page.errors.push(error.message));
  if (worker) {
    await page.route('**/worker.js', async route => {
      try {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: worker + await answer.text() });
      } catch (error) {
        // A page that is closed when its test is over may have asked for one more worker.
        if (!/disposed|closed/.test(error.message)) throw error;
      }
    });
  }
  await visit?.(page);
  await page.goto(url + hash);
  return page;
}

/** The address of a search that outlasts every test, with the most epochs that the form takes, unless `settings` give its end. */
export const address = (left, right, device, settings = {}) =>
  `#${new URLSearchParams({ preset: 'browser', left, right, device, 'search.epochs': 200, ...settings })}`;
export const panel = (page, index = 0) => page.locator('.panel').nth(index);
export const isLive = page => page.locator('#play:enabled').waitFor({ timeout: 60_000 });
export const status = (page, index = 0) => panel(page, index).locator('.status').textContent();
export const says = (page, pattern, timeout = 60_000) =>
  page.waitForFunction(source => new RegExp(source).test(document.querySelector('.panel .status').textContent), pattern.source, { timeout });
export const steps = async page => {
  const found = (await status(page)).match(/epoch (\d+) of \d+, step (\d+) of (\d+)/);
  return found ? (found[1] - 1) * found[3] + Number(found[2]) : 0;
};
/** Waits for more steps than `from`, those done now if it is not given; a search that begins counts from its own start. */
export async function advances(page, { from, timeout = 60_000 } = {}) {
  let least = from ?? await steps(page);
  for (const end = Date.now() + timeout; ; await page.waitForTimeout(20)) {
    const now = await steps(page);
    if (now > least) return;
    assert.ok(Date.now() < end, `more than ${least} steps in ${timeout / 1000} s`);
    least = Math.min(least, now);
  }
}
/** Makes one more step than `from`: after the last one of an epoch `press` ends the epoch, and once more makes the step. */
export async function stepsOn(page, from, press) {
  await press();
  await advances(page, { from, timeout: 3000 }).catch(press);
  await advances(page, { from });
}
/** Presses Play; the first step that the new worker shows, which is that of the snapshot. */
export async function continues(page, timeout = 60_000) {
  await page.evaluate(() => {
    document.querySelector('.panel .status').textContent = '';
    document.getElementById('play').click();
  });
  await says(page, /step/, timeout);
  return steps(page);
}
export async function saved(page, name) {
  const [download] = await Promise.all([page.waitForEvent('download'), panel(page).locator(`[data-save=${name}]`).click()]);
  return download.path();
}
export const events = file => readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));

/** The folder of a native search, on one thread. */
export function nativeRun(method, settings) {
  const out = join(mkdtempSync(join(tmpdir(), 'sdarts-')), 'run');
  const sets = Object.entries({ ...settings, 'run.threads': 1 }).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  execFileSync(given.sdarts, ['search', '--preset', 'browser', '--method', method, '--device', 'cpu', '--out', out, ...sets], { stdio: 'pipe' });
  return out;
}
export const native = (method, settings) => events(join(nativeRun(method, settings), 'events.jsonl'));

/** Largest differences of two searches. */
export function compare(page, reference) {
  const numbers = (all, type, read) => all.filter(event => event.type === type).flatMap(read);
  const largest = (type, read) => {
    const [found, wanted] = [numbers(page, type, read), numbers(reference, type, read)];
    assert.equal(found.length, wanted.length, `${type}: as many numbers`);
    assert.ok(wanted.length > 0);
    return Math.max(...found.map((value, index) => Math.abs(value - wanted[index])));
  };
  return {
    loss: largest('step', event => [event.train_loss, event.valid_loss]),
    alpha: largest('epoch_finished', event => event.alpha.flat(2)),
  };
}

export async function equalsNative(device, method, settings, timeout) {
  const reference = native(method, settings);
  const page = await open(address(method, 'none', device, settings));
  await isLive(page);
  const badge = await panel(page).locator('.badge').textContent();
  assert.match(badge, device === 'cpu' ? /CPU/ : /WebGPU/);
  await says(page, /finished/, timeout);
  const found = events(await saved(page, 'events'));
  assert.equal(found.filter(event => event.type === 'step').length, 10);
  const genotype = JSON.parse(readFileSync(await saved(page, 'genotype'), 'utf8'));
  const derived = execFileSync(given.sdarts, ['derive', '--json', await saved(page, 'checkpoint')]);
  assert.deepEqual(JSON.parse(derived), genotype, 'sdarts opens the checkpoint');
  const { loss, alpha } = compare(found, reference);
  console.log(`   largest difference on ${device}, ${method}: loss ${loss.toExponential(1)}, alpha ${alpha.toExponential(1)}`);
  assert.ok(loss < TOLERANCE.loss && alpha < TOLERANCE.alpha, 'within the tolerance');
  return page;
}

/** All these methods; the page of the last one. */
export async function allEqualNative(device, settings, all = ['darts', 'sdarts-adv', 'sdarts-rs']) {
  let page;
  for (const method of all) {
    await page?.context().close();
    page = await equalsNative(device, method, settings, 300_000);
  }
  return page;
}

/** An image of 12×12 pixels with a gradient that starts at `shade`, as BMP. */
export function bitmap(shade) {
  const side = 12;
  const bytes = Buffer.alloc(54 + 3 * side * side);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(side, 18);
  bytes.writeInt32LE(side, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let index = 54; index < bytes.length; index++) bytes[index] = shade + index % 90;
  return bytes;
}

/** The smallest and the largest eigenvalue of the last Hessian that a search measured. */
const extremes = all => {
  const { smallest, largest } = all.findLast(event => event.type === 'hessian');
  return [smallest, largest];
};
/** Largest difference of the last Hessian from the native one, as a share of its norm. */
export function sharpness(found, reference) {
  const [ours, wanted] = [extremes(found), extremes(reference)];
  const norm = Math.max(...wanted.map(Math.abs));
  return Math.max(...ours.map((value, index) => Math.abs(value - wanted[index]))) / norm;
}
export const measure = (page, what, index = 0) => panel(page, index).locator(`[data-measure=${what}]`);
export const figure = (page, what, index = 0) => panel(page, index).locator(`[data-figure=${what}]`);
/** How many points of a landscape the button tells of. */
export const points = async page => Number((await measure(page, 'landscape').textContent()).match(/\((\d+) of/)?.[1] ?? 0);
export const fills = (page, least, timeout = 60_000) => page.waitForFunction(from => {
  const found = document.querySelector('[data-measure=landscape]').textContent.match(/\((\d+) of/);
  return found && Number(found[1]) > from;
}, least, { timeout });
/** Milliseconds until a click on Cancel has given the button its first words again. */
export const cancels = page => page.evaluate(() => {
  const button = document.querySelector('[data-measure=landscape]');
  const began = performance.now();
  button.click();
  return new Promise(done => {
    const look = () => button.textContent === 'Measure the landscape' ? done(performance.now() - began) : setTimeout(look);
    look();
  });
});

/** The rows of a catalogue, as the command line lists them. */
export const catalogue = name => JSON.parse(execFileSync(given.sdarts, ['list', name, '--json']));
export const names = rows => rows.map(({ name }) => name);

/** The methods that the page searches with: those of one stage. */
export const methods = () => catalogue('methods').filter(({ name }) => name !== 'p-darts');

export const seconds = all => all.filter(event => event.type === 'epoch_finished').reduce((sum, event) => sum + event.seconds, 0);
