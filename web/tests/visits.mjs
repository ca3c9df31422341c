// What visitors met: reloads, links in a row, a server without a network, wrong files, a keyboard.

import assert from 'node:assert/strict';
import { TINIER, TINY, address, advances, isLive, measure, open, panel, status, steps, stepsOn } from './driver.mjs';

const isPlaying = page => page.locator('#play:has-text("Pause")').waitFor();
const isPaused = page => page.locator('#play:has-text("Play")').waitFor();
const message = (page, text) => page.locator(`#message:has-text("${text}")`).waitFor();
const title = (page, index) => panel(page, index).locator('h3').textContent();
const pair = (page, name) => page.click(`[data-pair=${name}]`);

export default {
  'a reload loses less than three seconds, at any moment': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    for (const wait of [1500, 4300, 6000]) {
      await page.waitForTimeout(wait);
      await advances(page);
      const before = await steps(page);
      await page.reload();
      await page.locator('#live:has-text("Goes on where you left it")').waitFor();
      await isLive(page);
      await isPlaying(page);
      await page.waitForFunction(() => /step/.test(document.querySelector('.panel .status').textContent));
      const after = await steps(page);
      console.log(`   at step ${before}, went on from step ${after}`);
      assert.ok(after > 0 && after > before - 150, 'three seconds of 50 steps');
    }
    return page;
  },

  'what was paused stays paused, to the step': async () => {
    const page = await open(address('sdarts-rs', 'none', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.click('#play');
    await isPaused(page);
    await page.waitForTimeout(500);
    const paused = await steps(page);
    await stepsOn(page, paused, () => page.click('#step'));
    await page.waitForTimeout(500);
    const before = await steps(page);
    await page.reload();
    await isLive(page);
    await page.waitForTimeout(2000);
    assert.equal(await steps(page), before);
    assert.equal(await page.textContent('#play'), 'Play');
    await page.click('#play');
    await advances(page);
    return page;
  },

  'of links in a row the last one wins': async () => {
    const page = await open(address('darts', 'none', 'cpu'));
    for (const [index, seed] of [11, 12, 13].entries()) {
      await page.waitForTimeout(120 * index);
      await page.evaluate(hash => { location.hash = hash; }, address('sdarts-rs', 'none', 'cpu', { seed }));
    }
    await panel(page).locator('h3:text-is("SDARTS-RS")').waitFor({ timeout: 60_000 });
    await isLive(page);
    await advances(page);
    assert.match(page.url(), /seed=13/);
    assert.equal(await page.inputValue('[name=seed]'), '13');
    assert.equal(await page.locator('#message').isVisible(), false);
    assert.equal(page.workers().length, 1, 'the others are gone');
    return page;
  },

  'Back and Forward go through the comparisons': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await pair(page, 'adversarial');
    await panel(page, 1).locator('h3:text-is("SDARTS-ADV")').waitFor();
    await page.goBack();
    await panel(page, 1).locator('h3:text-is("SDARTS-RS")').waitFor();
    await page.locator('[data-pair=random][aria-pressed=true]').waitFor();
    await page.goForward();
    await panel(page, 1).locator('h3:text-is("SDARTS-ADV")').waitFor();
    await advances(page);
    return page;
  },

  'a dead worker pauses both searches, and one press of Play goes on with both': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.waitForTimeout(2500);
    await page.workers()[0].evaluate(() => { setTimeout(() => { throw new Error('killed by the test'); }); });
    await message(page, 'killed by the test');
    await isPaused(page);
    page.errors.length = 0;
    await page.click('#play');
    await isPlaying(page);
    for (const index of [0, 1]) {
      const before = await status(page, index);
      await page.waitForFunction(([at, text]) => document.querySelectorAll('.panel .status')[at].textContent !== text, [index, before]);
    }
    return page;
  },

  'without a network a comparison that cannot be opened changes nothing': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await advances(page);
    await page.context().setOffline(true);
    await pair(page, 'adversarial');
    await page.locator('#message:not([hidden])').waitFor();
    console.log(`   ${await page.textContent('#message')}`);
    await page.locator('[data-pair=random][aria-pressed=true]').waitFor();
    assert.equal(await title(page, 1), 'SDARTS-RS');
    await advances(page);
    page.errors.length = 0;
    await page.context().setOffline(false);
    await pair(page, 'adversarial');
    await panel(page, 1).locator('h3:text-is("SDARTS-ADV")').waitFor();
    return page;
  },

  'the program and the images are fetched once, also for two searches and a second visit': async () => {
    const sizes = new Map();
    const visit = page => page.on('requestfinished', async request => {
      if (!/wasm|ubyte/.test(request.url())) return;
      const { responseBodySize } = await request.sizes();
      sizes.set(request.url(), [...sizes.get(request.url()) ?? [], responseBodySize]);
    });
    const page = await open(address('darts', 'sdarts-rs', 'cpu'), { visit });
    await isLive(page);
    await pair(page, 'adversarial');
    await panel(page, 1).locator('h3:text-is("SDARTS-ADV")').waitFor();
    await page.waitForTimeout(500);
    assert.equal(sizes.size, 5);
    for (const [url, all] of sizes) assert.equal(all.length, 1, url);
    await page.reload();
    await isLive(page);
    await page.waitForTimeout(500);
    for (const [url, [first, ...again]] of sizes) {
      assert.ok(again.every(size => size < Math.min(first, 1000)), `${url}: ${first}, then ${again}`);
    }
    return page;
  },

  'loading tells how far it is': async () => {
    const told = new Set();
    const page = await open('', {
      visit: async page => {
        await page.exposeFunction('told', text => told.add(text));
        await page.addInitScript(() => {
          addEventListener('DOMContentLoaded', () => new MutationObserver(() => window.told(document.getElementById('loading').textContent.trim()))
            .observe(document.getElementById('loading'), { subtree: true, childList: true, characterData: true }));
        });
      },
    });
    await page.click('#load');
    await isLive(page);
    const all = [...told];
    console.log(`   ${all.length} words, from ${all[0]} to ${all.at(-1)}`);
    assert.ok(all.some(text => /^Loading the program: \d+ %$/.test(text)) && all.includes('Compiling the program'));
    assert.equal(await page.locator('#loading').isVisible(), false);
    return page;
  },

  'the slow motion of a search that does not perturb shows no perturbation': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    await page.click('#play');
    await isPaused(page);
    await page.selectOption('#speed', 'parts');
    await page.click('#play');
    await panel(page, 1).locator('[data-figure=perturbation] .picture[data-shown="4"]').waitFor({ timeout: 60_000 });
    assert.equal(await panel(page, 0).locator('[data-shown]').count(), 0);
    assert.equal(await panel(page, 0).locator('[data-figure=perturbation]').evaluate(figure => figure.open), false);
    return page;
  },

  'a measurement of an untrained search says so, without a minus nought': async () => {
    const page = await open(address('darts', 'none', 'cpu'), { reducedMotion: 'reduce' });
    await isLive(page);
    await measure(page, 'landscape').click();
    await page.locator('#live:has-text("the landscape is measured")').waitFor({ timeout: 60_000 });
    const said = await page.textContent('#live');
    assert.match(said, /No epoch has ended yet/);
    assert.doesNotMatch(said, /-0\.0|by -/);
    return page;
  },

  'what is dropped by mistake is named': async () => {
    const page = await open();
    const say = names => page.evaluate(async names => {
      const { understand } = await import('./js/drop.js');
      try {
        understand(names.map(path => ({ path, name: path.split('/').at(-1), file: null })));
        return 'understood';
      } catch (error) {
        return error.message;
      }
    }, names);
    for (const [names, pattern] of [
      [[], /empty/],
      [['/run/checkpoint.safetensors'], /is a checkpoint.*events.jsonl/],
      [['/genotype.json'], /is a genotype/],
      [['/images.zip'], /is an archive.*folder/],
      [['/summary.csv'], /summary.csv is not the stream of events/],
      [['/notes.txt'], /notes.txt is neither/],
      [['/a.txt', '/b.txt'], /These 2 files are neither/],
      [['/photo.png'], /The image is of no class/],
      [['/cats/1.png', '/cats/2.png'], /2 images are all of one class, cats/],
      [['/all/cats/1.png', '/all/dogs/2.png'], /^understood$/],
      [['/run/events.jsonl', '/run/config.toml'], /^understood$/],
    ]) assert.match(await say(names), pattern, String(names));
    return page;
  },

  'the words for those who listen are of what is shown': async () => {
    const page = await open(address('darts', 'none', 'cpu', TINY));
    await isLive(page);
    await page.locator('#live:has-text("finished")').waitFor({ timeout: 60_000 });
    await page.click('#restart');
    await page.waitForFunction(() => !/finished/.test(document.getElementById('live').textContent));
    await page.locator('#live:has-text("finished")').waitFor({ timeout: 60_000 });
    await page.reload();
    await page.locator('#live:has-text("Goes on where you left it")').waitFor({ timeout: 60_000 });
    return page;
  },

  'words stay long enough to be heard': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu'));
    await isLive(page);
    const before = await steps(page);
    const times = await page.evaluate(() => new Promise(done => {
      const said = [];
      new MutationObserver(() => said.push(performance.now())).observe(document.getElementById('live'), { childList: true });
      setTimeout(done, 20_000, said);
    }));
    const gaps = times.slice(1).map((time, index) => time - times[index]);
    console.log(`   ${await steps(page) - before} steps, words after ${gaps.map(gap => (gap / 1000).toFixed(1)).join(' and ')} s`);
    assert.ok(gaps.length > 0, 'there are words');
    assert.ok(Math.min(...gaps) > 7500, 'a listener hears them out');
    return page;
  },

  'kernels that compile are told of': async () => {
    const page = await open(address('darts', 'none', 'wgpu', { ...TINIER, 'search.epochs': 200 }));
    await panel(page).locator('.status:has-text("Compiling the kernels")').waitFor({ timeout: 60_000 });
    await advances(page, { timeout: 300_000 });
    assert.doesNotMatch(await status(page), /Compiling/);
    return page;
  },

  'the focus is never hidden, forwards and backwards': async () => {
    const page = await open(address('darts', 'none', 'cpu', TINY));
    await isLive(page);
    await page.locator('#live:has-text("finished")').waitFor({ timeout: 60_000 }); // nothing moves any more
    await page.waitForTimeout(500);
    await page.click('summary:has-text("Settings")');
    for (const key of ['Tab', 'Shift+Tab']) {
      const hidden = [];
      for (let press = 0; press < 70; press++) {
        await page.keyboard.press(key);
        await page.waitForTimeout(30);
        const found = await page.evaluate(() => {
          const focused = document.activeElement;
          if (focused === document.body || focused.classList.contains('skip')) return null;
          const box = focused.getBoundingClientRect();
          const [x, y] = [Math.min(box.right - 3, Math.max(box.left + 3, box.left + box.width / 2)), Math.min(innerHeight - 3, Math.max(3, box.top + Math.min(box.height / 2, 20)))];
          const top = document.elementFromPoint(x, y);
          return focused.contains(top) || top?.contains(focused) || top?.closest('label')?.contains(focused) ? null : `${focused.tagName} ${focused.id || focused.textContent.slice(0, 20)}`;
        });
        if (found) hidden.push(found);
      }
      assert.deepEqual(hidden, [], key);
    }
    return page;
  },

  'at 200 % zoom everything is there, one under the other': async () => {
    const page = await open(address('darts', 'sdarts-rs', 'cpu', TINY), { viewport: { width: 640, height: 450 } });
    await isLive(page);
    await page.click('summary:has-text("Settings")');
    assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth));
    const fixed = await page.evaluate(() => [...document.querySelectorAll('*')].filter(element => ['sticky', 'fixed'].includes(getComputedStyle(element).position)).length);
    assert.equal(fixed, 0, 'nothing stands over what is read');
    return page;
  },

  'letters of every figure can be read, on a phone too': async () => {
    for (const width of [1280, 390]) {
      const page = await open(address('darts', 'sdarts-rs', 'cpu', TINY), { viewport: { width, height: 900 } });
      await isLive(page);
      await panel(page).locator('.figure').evaluateAll(all => all.forEach(figure => { figure.open = true; }));
      await page.locator('#live:has-text("finished")').waitFor({ timeout: 60_000 });
      for (const figure of await panel(page).locator('.figure').all()) {
        await figure.scrollIntoViewIfNeeded();
        await page.waitForTimeout(300);
      }
      const sizes = await panel(page).locator('.picture svg text').evaluateAll(all => all.filter(text => text.textContent.trim()).map(text => {
        const { a } = text.getScreenCTM();
        return parseFloat(getComputedStyle(text).fontSize) * a;
      }));
      console.log(`   ${sizes.length} texts at ${width} pixels, the smallest of ${Math.min(...sizes).toFixed(1)} pixels`);
      assert.ok(sizes.length > 50 && Math.min(...sizes) >= 8);
      await page.context().close();
    }
  },

  'nothing jumps': async () => {
    const page = await open();
    await page.evaluate(() => {
      window.shifts = [];
      new PerformanceObserver(list => window.shifts.push(...list.getEntries().filter(entry => !entry.hadRecentInput).map(entry => entry.value)))
        .observe({ type: 'layout-shift', buffered: true });
    });
    await page.waitForTimeout(3000);
    await page.click('#load');
    await isLive(page);
    await page.waitForTimeout(6000);
    const total = await page.evaluate(() => window.shifts.reduce((sum, value) => sum + value, 0));
    console.log(`   layout shift ${total.toFixed(3)}`);
    assert.ok(total < 0.1);
    return page;
  },

  'two searches stay in step': async () => {
    const page = await open(address('darts', 'sdarts-adv', 'cpu'));
    await isLive(page);
    for (let look = 0; look < 12; look++) {
      await page.waitForTimeout(700);
      const epochs = (await page.locator('.panel .status').allTextContents()).map(text => Number(text.match(/epoch (\d+)/)?.[1] ?? 0));
      assert.ok(Math.abs(epochs[0] - epochs[1]) <= 1, String(epochs));
    }
    return page;
  },
};
