// Longer than 400 lines: one list of what the page promises, each promise a short test.
//
// The page in a real Chromium. Usage:
//   node page.mjs --modules DIR --program FILE --site DIR --sdarts FILE [--screenshots DIR] [--only WORD]
// DIR of --modules holds playwright-core and axe-core; FILE of --program is the program of this
// package, which serves the site; FILE of --sdarts is the command line, whose numbers the page must
// give. Every test prints its figures.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import story from './story.mjs';
import threads from './threads.mjs';
import visits from './visits.mjs';
import {
  MAX_SHARPNESS, MAX_TASK, MAX_WASM, SNAPSHOT, TINIER, TINY, TOLERANCE, address, advances, allEqualNative,
  axe, bitmap, browser, cancels, catalogue, compare, continues, equalsNative, events, figure, fills, given,
  isLive, measure, methods, names, native, nativeRun, open, panel, points, saved, says, seconds, server, sharpness,
  status, steps, stepsOn,
} from './driver.mjs';

const tests = {
  ...story,
  ...threads,

  'the module is small': async () => {
    const { size } = statSync(join(given.site, 'pkg/smoothdarts.wasm.gz'));
    const images = readdirSync(join(given.site, 'data/fashion-mnist')).map(name => statSync(join(given.site, 'data/fashion-mnist', name)).size);
    const all = images.reduce((sum, one) => sum + one, size) / 1e6;
    console.log(`   wasm ${(size / 1e6).toFixed(2)} MB gzipped, ${all.toFixed(2)} MB with the images`);
    assert.ok(size <= MAX_WASM);
    const said = readFileSync(join(given.site, 'index.html'), 'utf8').match(/(\d+) MB, fetched once/)[1];
    assert.equal(Number(said), Math.round(all), 'the page says how much it fetches');
  },

  'ten steps on the CPU give the numbers of the native search': () => allEqualNative('cpu', TINY),

  'rounding alone takes the page from the command line at the rates of the preset': async () => {
    const settings = { seed: 2, 'search.epochs': 2 };
    const losses = all => all.filter(event => event.type === 'step').map(event => event.train_loss);
    const reference = losses(native('sdarts-rs', settings));
    const page = await open(address('sdarts-rs', 'none', 'cpu', settings));
    await isLive(page);
    await says(page, /finished/, 120_000);
    const found = losses(events(await saved(page, 'events')));
    const apart = found.map((loss, step) => Math.abs(loss - reference[step]));
    console.log(`   losses of steps 1, 2, 3, 5, 10, 20, 30 differ by ${[0, 1, 2, 4, 9, 19, 29].map(step => apart[step].toExponential(0)).join(', ')}`);
    assert.equal(found.length, 30);
    assert.ok(apart[0] < 1e-5 && Math.max(...apart.slice(0, 3)) < 1e-3, 'it begins as rounding');
    return page;
  },

  // The kernels of a method are compiled for two minutes; those of an attack have the others among them.
  'ten steps on WebGPU give the numbers of the native search': () => allEqualNative('wgpu', TINIER, ['sdarts-adv']),

  'the form offers the catalogues, and the comparisons are of them': async () => {
    const page = await open(address('sdarts-adv', 'none', 'cpu', { 'search.space': 's3' }));
    await isLive(page);
    for (const [name, value] of [['left', 'sdarts-adv'], ['right', 'none'], ['search.space', 's3'], ['device', 'cpu']]) {
      assert.equal(await page.inputValue(`[name="${name}"]`), value);
    }
    const options = name => page.locator(`[name="${name}"] option`).evaluateAll(all => all.map(option => option.value));
    const offered = names(methods());
    assert.deepEqual(await options('left'), offered);
    assert.deepEqual(await options('right'), [...offered, 'none']);
    // The page reads no text.
    const spaces = names(catalogue('spaces')).filter(name => name !== 'recurrent');
    assert.deepEqual(await options('search.space'), spaces);
    assert.equal(await page.inputValue('[name="search.space"]'), 's3');
    const figures = panel(page).locator('.figure');
    assert.deepEqual(await figures.evaluateAll(all => all.map(figure => figure.dataset.figure)),
      ['mixture', 'perturbation', 'parameter-free', 'probabilities', 'steps', 'accuracy', 'epsilon', 'hessian', 'landscape', 'cell']);
    for (const pair of ['collapse', 'random', 'adversarial']) {
      await page.click(`[data-pair=${pair}]`);
      await page.locator(`[data-pair=${pair}][aria-pressed=true]`).waitFor();
      const chosen = [await page.inputValue('[name=left]'), await page.inputValue('[name=right]')];
      assert.ok(chosen.every(name => [...offered, 'none'].includes(name)), `${pair}: ${chosen}`);
    }
    return page;
  },

  'every method of the catalogue can be named in a link and chosen': async () => {
    await (await equalsNative('cpu', 'darts-es', { ...TINY, 'hessian.every': 1 }, 300_000)).context().close();
    const page = await open(address('darts-hessian', 'none', 'cpu'));
    await isLive(page);
    await advances(page);
    assert.equal(await panel(page).locator('h3').textContent(), 'DARTS-Hessian');
    await page.click('summary:has-text("Settings")');
    const space = await page.inputValue('[name="search.space"]');
    for (const { name, title } of methods()) {
      // Methods that are not made for cells of DARTS.
      const isOneShot = ['enas', 'random-ws'].includes(name);
      await page.selectOption('[name="search.space"]', isOneShot ? 'oneshot-1' : space);
      await page.selectOption('[name=left]', name);
      await page.click('button:has-text("Search with these")');
      await page.waitForURL(new RegExp(`left=${name}&`));
      await panel(page).locator(`h3:text-is("${title}")`).waitFor();
      await advances(page);
    }
    return page;
  },

  'measuring on WebGPU gives the numbers of the native search': async () => {
    const settings = { ...TINIER, 'search.epochs': 1, 'data.train_images': 16 };
    const page = await open(address('darts', 'none', 'wgpu', settings));
    await isLive(page);
    await says(page, /finished/, 300_000);
    await measure(page, 'landscape').click();
    await fills(page, 1, 300_000);
    const took = await cancels(page);
    await measure(page, 'hessian').click();
    await page.locator('#live:has-text("the Hessian norm is")').waitFor({ timeout: 600_000 });
    const share = sharpness(events(await saved(page, 'events')), native('darts', { ...settings, 'hessian.every': 1 }));
    console.log(`   Hessian within ${(100 * share).toFixed(2)} % of the native one, landscape cancelled after ${took.toFixed(1)} ms`);
    assert.ok(share < MAX_SHARPNESS && took < 100);
    return page;
  },

  'measuring changes no number of the search, and sdarts reports it': async () => {
    const run = nativeRun('sdarts-rs', { ...TINY, 'hessian.every': 1 });
    const page = await open(address('sdarts-rs', 'none', 'cpu', TINY));
    await isLive(page);
    // Within the search, as it comes, and after its end.
    for (const what of ['hessian', 'landscape']) await measure(page, what).click();
    await says(page, /finished/);
    await page.locator('#live:has-text("the landscape is measured")').waitFor({ timeout: 60_000 });
    await measure(page, 'hessian').click();
    await says(page, /Hessian norm/);
    await page.locator('[data-measure=hessian][aria-busy=false]').waitFor();
    const file = await saved(page, 'events');
    const reference = events(join(run, 'events.jsonl'));
    const { loss, alpha } = compare(events(file), reference);
    const share = sharpness(events(file), reference);
    console.log(`   loss ${loss.toExponential(1)}, alpha ${alpha.toExponential(1)}, Hessian ${(100 * share).toFixed(2)} %`);
    assert.ok(loss < TOLERANCE.loss && alpha < TOLERANCE.alpha && share < MAX_SHARPNESS);
    copyFileSync(file, join(run, 'events.jsonl'));
    execFileSync(given.sdarts, ['report', run]);
    assert.match(readFileSync(join(run, 'report.html'), 'utf8'), /Sharpness of the validation loss/);
    return page;
  },

  'landscapes fill in on one scale, by keyboard, and Cancel answers at once': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await measure(page, 'landscape').focus();
    await page.keyboard.press('Enter');
    await fills(page, 5);
    const before = await steps(page);
    await advances(page);
    await fills(page, await points(page));
    const took = await cancels(page);
    assert.match(await figure(page, 'landscape').locator('svg').textContent(), /of 121 points measured/);
    console.log(`   cancelled after ${took.toFixed(1)} ms, the search went on from step ${before} to ${await steps(page)}`);
    assert.ok(took < 100);
    await page.keyboard.press('6');
    await page.keyboard.press('Enter');
    const legends = () => page.evaluate(() => [...document.querySelectorAll('[data-figure=landscape] svg')].map(svg =>
      svg.textContent.includes('drop within distance') && [...svg.querySelectorAll('text')].map(text => text.textContent).filter(text => /^\d+ %$/.test(text)).join()));
    await page.waitForFunction(() => [...document.querySelectorAll('[data-figure=landscape] svg')].filter(svg => svg.textContent.includes('drop within')).length === 2, null, { timeout: 120_000 });
    await page.waitForTimeout(1000);
    const [left, right] = await legends();
    assert.ok(left && left === right, `one scale: ${left} and ${right}`);
    for (const index of [0, 1]) {
      assert.match(await status(page, index), /Hessian norm \d/);
      assert.match(await figure(page, 'hessian', index).locator('svg').textContent(), /spectral norm/);
    }
    await figure(page, 'landscape').locator('.as-table').click();
    await figure(page, 'landscape').locator('tbody tr').nth(120).waitFor();
    return page;
  },

  'the CPU path is not far from native': async () => {
    const settings = { 'search.epochs': 2 };
    const reference = seconds(native('darts', settings));
    const page = await open(address('darts', 'none', 'cpu', settings));
    await isLive(page);
    await says(page, /finished/, 120_000);
    const found = seconds(events(await saved(page, 'events')));
    console.log(`   30 steps: ${found.toFixed(2)} s here, ${reference.toFixed(2)} s native on one thread: ratio ${(found / reference).toFixed(1)}`);
    return page;
  },

  'the playground works by mouse': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.click('#play');
    await page.locator('#play:has-text("Play")').waitFor();
    const paused = await steps(page);
    await stepsOn(page, paused, () => page.click('#step'));
    await page.click('[data-pair=adversarial]');
    await panel(page, 1).locator('h3:text-is("SDARTS-ADV")').waitFor();
    await advances(page);
    assert.equal(await panel(page, 1).locator('h3').textContent(), 'SDARTS-ADV');
    await page.selectOption('#speed', 'parts');
    await page.locator('.panel').nth(1).locator('[data-figure=perturbation] .picture[data-shown="4"]').waitFor({ timeout: 60_000 });
    await page.selectOption('#speed', '0');
    await panel(page).locator('[data-figure=mixture] .as-table').click();
    await panel(page).locator('[data-figure=mixture] td').nth(20).waitFor();
    await page.click('summary:has-text("Settings")');
    await page.fill('[name=seed]', '5');
    await page.click('button:has-text("Search with these")');
    await page.waitForURL(/seed=5/);
    await advances(page);
    const checkpoint = await saved(page, 'checkpoint');
    assert.ok(statSync(checkpoint).size > 50_000);
    return page;
  },

  'the playground works by keyboard alone': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.keyboard.press('Space');
    await page.locator('#play:has-text("Play")').waitFor();
    const paused = await steps(page);
    await stepsOn(page, paused, () => page.keyboard.press('.'));
    await page.waitForTimeout(500);
    assert.equal(await steps(page), paused + 1);
    // Three parts are a step; twice as many, where the first end the epoch, are not two.
    const parts = async () => {
      for (let part = 0; part < 3; part++) {
        await page.keyboard.press(',');
        await page.waitForTimeout(500);
      }
    };
    await stepsOn(page, paused + 1, parts);
    assert.equal(await steps(page), paused + 2);
    await page.keyboard.press('3');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Search with DARTS alone');
    await page.keyboard.press('Enter');
    await panel(page, 1).waitFor({ state: 'hidden' });
    await advances(page);
    await page.keyboard.press('Escape');
    await page.locator('#play:has-text("Play")').waitFor();
    const reached = new Set();
    await page.evaluate(() => document.activeElement.blur());
    for (let press = 0; press < 120; press++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim().slice(0, 30)));
    }
    for (const name of ['play', 'step', 'part', 'stop', 'restart', 'speed', 'Measure the Hessian norm', 'Measure the landscape', 'events.jsonl', 'open-events']) assert.ok(reached.has(name), `Tab reaches ${name}`);
    return page;
  },

  'nobody is shut out (axe)': async () => {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(address('darts', 'sdarts-rs', 'cpu'), { colorScheme });
      await isLive(page);
      await advances(page);
      await page.click('#play');
      await page.click('summary:has-text("Settings")');
      await page.getByRole('button', { name: /Measure all searches now/ }).click();
      await page.waitForFunction(() => document.querySelectorAll('[data-figure=landscape] svg').length === 2);
      await page.waitForTimeout(300);
      // The page's own policy forbids axe as a script element; evaluate is outside of it.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
      console.log(`   ${colorScheme}: ${violations.length} issues, ${serious.length} serious`);
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`), []);
      await page.context().close();
    }
  },

  'the main thread is free during a search': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.getByRole('button', { name: /Measure all searches now/ }).click();
    await browser.startTracing(page, { categories: ['toplevel'] });
    await page.waitForTimeout(8000);
    const { traceEvents } = JSON.parse(String(await browser.stopTracing()));
    const thread = event => `${event.pid}:${event.tid}`;
    const named = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
    const mains = named.map(thread);
    // Time of the processor, not of the wall: a machine that is busy with other things is no fault of the page.
    const tasks = traceEvents.filter(event => event.name.includes('RunTask') && event.tdur && mains.includes(thread(event)));
    const longest = Math.max(...tasks.map(task => task.tdur)) / 1000;
    console.log(`   ${tasks.length} tasks of the main thread in 8 s of search and measurements, the longest ${longest.toFixed(1)} ms`);
    assert.ok(tasks.length > 100, 'the trace holds tasks');
    assert.ok(longest <= MAX_TASK);
    return page;
  },

  'Stop answers at once and Play goes on from the snapshot': async () => {
    const page = await open(address('sdarts-adv', 'none', 'cpu'));
    await isLive(page);
    await page.waitForTimeout(6000);
    const took = await page.evaluate(() => {
      const began = performance.now();
      document.getElementById('stop').click();
      return new Promise(done => {
        const look = () => document.getElementById('play').textContent === 'Play' ? done(performance.now() - began) : setTimeout(look);
        look();
      });
    });
    const at = await steps(page);
    console.log(`   stopped after ${took.toFixed(1)} ms`);
    assert.ok(took < 100);
    const from = await continues(page);
    console.log(`   at step ${at}, and went on from step ${from}`);
    assert.ok(from > 1, 'it did not start again');
    await advances(page);
    return page;
  },

  'a lost device is a message, and Play goes on': async () => {
    const worker = `const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...asked) { return self.lost = await request.apply(this, asked); };`;
    const page = await open(address('darts', 'none', 'wgpu', { ...TINIER, 'search.epochs': 200 }), { worker });
    await isLive(page);
    await advances(page, { timeout: 300_000 });
    await page.waitForTimeout(SNAPSHOT);
    await advances(page);
    await page.workers()[0].evaluate(() => self.lost.destroy());
    await page.locator('#message:has-text("goes on from the last snapshot")').waitFor({ timeout: 60_000 });
    console.log(`   ${await page.locator('#message').textContent()}`);
    const at = await continues(page, 300_000);
    assert.ok(at > 0, 'it did not start again');
    await advances(page, { timeout: 300_000 });
    assert.match(await panel(page).locator('.badge').textContent(), /WebGPU/);
    console.log(`   a new device went on from step ${at} to ${await steps(page)}`);
    await page.click('summary:has-text("Settings")');
    await page.selectOption('[name=device]', 'cpu');
    await page.click('button:has-text("Search with these")');
    page.errors.length = 0;
    await advances(page);
    return page;
  },

  'a broken link and a broken file are messages, and the page works': async () => {
    const page = await open('#left=dart&right=none');
    await page.locator('#message:has-text("no search method `dart`; there are: darts,")').waitFor({ timeout: 60_000 });
    await isLive(page);
    const file = join(mkdtempSync(join(tmpdir(), 'broken-')), 'events.jsonl');
    writeFileSync(file, '{"type":"started"\nnonsense\n');
    await page.setInputFiles('#open-events', file);
    await page.locator('#message:has-text("line 1")').waitFor();
    await advances(page);
    return page;
  },

  'a link to other data is a message, and the page works': async () => {
    const page = await open('#preset=cifar10-s5-darts&device=cpu');
    await page.locator('#message:has-text("fashion-mnist only")').waitFor({ timeout: 60_000 });
    await advances(page);
    return page;
  },

  'a folder of images by class is searched on': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'images-'));
    for (const [shade, name] of ['dark', 'light'].entries()) {
      mkdirSync(join(folder, name));
      for (let index = 0; index < 40; index++) writeFileSync(join(folder, name, `${index}.bmp`), bitmap(100 * shade + index));
    }
    const page = await open(address('darts', 'none', 'cpu'));
    await isLive(page);
    await page.setInputFiles('#open-folder', folder);
    await panel(page).locator('.badge:has-text("80 images of 2 classes of yours")').waitFor();
    await advances(page);
    await page.evaluate(hash => { location.hash = hash; }, address('darts', 'none', 'cpu', { seed: 1 }));
    await page.locator('.badge:has-text("live on the CPU (as set)"):not(:has-text("yours"))').first().waitFor();
    await advances(page);
    writeFileSync(join(folder, 'dark', '0.bmp'), 'no image');
    await page.setInputFiles('#open-folder', folder);
    await page.locator('#message:has-text("0.bmp is no image")').waitFor();
    return page;
  },

  'the events of a native run are shown': async () => {
    const out = join(mkdtempSync(join(tmpdir(), 'events-')), 'events.jsonl');
    // A line that was written anew is no longer the text of its checksum.
    const lines = native('darts', TINY).map(({ crc32c, ...event }) => `${JSON.stringify(event)}\n`);
    writeFileSync(out, lines.join(''));
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await page.setInputFiles('#open-events', out);
    await says(page, /finished/);
    assert.match(await panel(page).locator('.badge').textContent(), /events.jsonl/);
    await page.click('#restart');
    await advances(page);
    return page;
  },

  ...visits,

  'screenshots': async () => {
    if (!given.screenshots) return;
    mkdirSync(given.screenshots, { recursive: true });
    for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', { viewport: { width: 390, height: 844 } }]]) {
      const page = await open('', options);
      await page.locator('#story-play:text-is("Pause")').waitFor();
      await page.locator('#story-epoch').fill('35');
      await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
      await page.screenshot({ path: join(given.screenshots, `${name}.png`) });
      await page.context().close();
    }
    const page = await open();
    await page.click('#load');
    await page.locator('.outcome:not([hidden])').nth(1).waitFor({ timeout: 120_000 });
    await page.evaluate(() => document.getElementById('playground').scrollIntoView());
    await page.waitForTimeout(800);
    await page.screenshot({ path: join(given.screenshots, 'playground.png') });
    await page.context().close();
  },
};

let failures = 0;
for (const [name, test] of Object.entries(tests)) {
  if (given.only && !name.includes(given.only)) continue;
  try {
    const page = await test();
    if (page) {
      assert.deepEqual(page.errors, [], 'no console error');
      await page.context().close();
    }
    console.log(`ok ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAILED ${name}\n   ${error.message}`);
  }
}
await browser.close();
server.removeAllListeners('exit');
server.kill();
process.exit(failures ? 1 : 0);
