// The page over a long time, by hand: does it get slower, or larger, with the epochs? Usage:
//   node soak.mjs --modules DIR --program FILE --site DIR [--epochs N] [--every N] [--images N] [--batch N]
// with the flags of page.mjs. Two searches of N epochs (1000) side by side, of 64 images in batches of 8: four steps an
// epoch. A row after every so many epochs (100): processor time of a step and memory of the process that shows the page
// and computes, and the longest task of its main thread in processor time, so that other programs do not count.

import { readFileSync, readdirSync } from 'node:fs';
import { address, browser, given, isLive, open, server, steps } from './driver.mjs';

const epochs = Number(given.epochs ?? 1000);
const every = Number(given.every ?? 100);
/** Of the kernel's clock, in seconds. */
const TICK = 0.01;
/** How long tasks are traced for a row, in ms. */
const TRACED = 5000;

/** The process that computes: the one of the browser that has used most of the processor. */
function renderer() {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const [line, words] = [readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync(`/proc/${pid}/stat`, 'utf8')];
      if (!line.includes('--type=renderer')) return [];
      const [user, system] = words.slice(words.lastIndexOf(')') + 2).split(' ').slice(11, 13).map(Number);
      const resident = Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024;
      return [{ pid, seconds: TICK * (user + system), resident }];
    } catch {
      return []; // it has ended
    }
  });
  return all.sort((one, other) => other.seconds - one.seconds)[0];
}

/** The longest task of a main thread, in ms of the processor. */
async function longest(page) {
  await browser.startTracing(page, { categories: ['toplevel'] });
  await page.waitForTimeout(TRACED);
  const { traceEvents } = JSON.parse(String(await browser.stopTracing()));
  const thread = event => `${event.pid}:${event.tid}`;
  const mains = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(thread);
  const tasks = traceEvents.filter(event => event.name.includes('RunTask') && event.tdur && mains.includes(thread(event)));
  return Math.max(0, ...tasks.map(task => task.tdur)) / 1000;
}

/** Bytes of the page's own objects, after what nobody holds is collected. */
async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}

const [images, batch] = [Number(given.images ?? 64), Number(given.batch ?? 8)];
const settings = { seed: 2, 'search.epochs': epochs, 'search.batch_size': batch, 'data.train_images': images };
const page = await open(address('darts', 'sdarts-rs', 'cpu', settings));
await isLive(page);
console.log('epochs, processor ms of a step, resident MB, objects of the page MB, longest task ms');
for (let next = every; next <= epochs; next += every) {
  const from = [await steps(page), renderer()];
  const task = await longest(page);
  await page.waitForFunction(goal => {
    const found = document.querySelector('.panel .status').textContent.match(/epoch (\d+) of/);
    return !found || Number(found[1]) >= goal;
  }, next, { timeout: 0, polling: 500 });
  const to = [await steps(page) || epochs * Math.ceil(images / 2 / batch), renderer()]; // no step at its end
  const step = 1000 * (to[1].seconds - from[1].seconds) / (2 * (to[0] - from[0])); // two searches
  console.log([next, step.toFixed(1), to[1].resident.toFixed(0), (await heap(page) / 1e6).toFixed(1), task.toFixed(1)].join(', '));
}
console.log(`errors of the page: ${page.errors.length} ${page.errors.slice(0, 3).join('; ')}`);
await browser.close();
server.kill();
