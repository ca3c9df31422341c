// The story of the page, from recorded runs: what it shows is what native/repro/collapse keeps.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { axe, open } from './driver.mjs';

const FIRST_PAINT = 500;
const PLAYS = 1000;

/** The kept rows: method, seed, epoch, accuracy, …, architecture. */
const rows = readFileSync(new URL('../../native/repro/collapse/results/course.csv', import.meta.url), 'utf8')
  .trim().split('\n').map(line => line.split(',')).slice(1)
  .map(([method, seed, epoch, accuracy, , , , norm, architecture]) => ({ method, seed, epoch: Number(epoch), accuracy: Number(accuracy), norm, architecture }));
const landscape = readFileSync(new URL('../../native/repro/collapse/results/landscape.csv', import.meta.url), 'utf8')
  .trim().split('\n').map(line => line.split(',')).slice(1)
  .map(([method, seed, x, y, accuracy]) => ({ method, seed, x: Number(x), y: Number(y), accuracy: Number(accuracy) }));
const kept = (method, seed) => rows.filter(row => row.method === method && row.seed === seed);
const epochs = kept('darts', '0').length;

const isPlaying = page => page.locator('#story-play:text-is("Pause")').waitFor();
const accuracies = page => page.locator('#story .accuracy').allTextContents();
/** Moves the slider as a person would. */
const goTo = (page, epoch) => page.locator('#story-epoch').fill(String(epoch));
const choose = (page, name, value) => page.locator(`#story-${name} input[value="${value}"]`).check();

export default {
  'the story is painted and plays at once, without the program of the playground': async () => {
    let page, requests;
    // In one of three visits: what else the machine does is no part of the page.
    for (let visit = 1; ; visit++) {
      const asked = requests = [];
      page = await open('', { visit: page => page.on('request', request => asked.push(request.url())) });
      await isPlaying(page);
      const [paint, plays] = await page.evaluate(() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.getEntriesByName('story')[0].startTime]);
      console.log(`   first paint after ${Math.round(paint)} ms, plays after ${Math.round(plays)} ms`);
      if (paint < FIRST_PAINT && plays < PLAYS) break;
      assert.ok(visit < 3);
      await page.context().close();
    }
    const before = await page.inputValue('#story-epoch');
    await page.waitForFunction(from => document.getElementById('story-epoch').value > Number(from) + 1, before);
    assert.deepEqual(requests.filter(url => /pkg|data|worker|playground/.test(url)), []);
    return page;
  },

  'every number of the story is that of a kept run': async () => {
    const page = await open();
    await isPlaying(page);
    for (const smooth of ['sdarts-rs', 'sdarts-adv']) {
      await choose(page, 'smooth', smooth);
      for (const seed of await page.locator('#story-seed input').evaluateAll(all => all.map(input => input.value))) {
        await choose(page, 'seed', seed);
        for (const epoch of [1, 10, 23, epochs]) {
          await goTo(page, epoch);
          const wanted = ['darts', smooth].map(method => `${kept(method, seed)[epoch - 1].accuracy.toFixed(1)} %`);
          assert.deepEqual(await accuracies(page), wanted, `seed ${seed}, epoch ${epoch}`);
        }
      }
    }
    const table = await page.locator('#story-numbers tbody tr').evaluateAll(all => all.map(row => [row.dataset.run, row.cells[2].textContent, row.cells[3].textContent]));
    const runs = [...new Set(rows.map(({ method, seed }) => `${method} ${seed}`))];
    assert.deepEqual(table.map(([run]) => run).sort(), runs.sort(), 'all runs, the unlucky ones too');
    for (const [run, best, end] of table) {
      const all = kept(...run.split(' ')).map(({ accuracy }) => accuracy);
      assert.deepEqual([best, end], [`${Math.max(...all).toFixed(2)} %`, `${all.at(-1).toFixed(2)} %`], run);
    }
    return page;
  },

  'all seeds are drawn, and the two lanes show one epoch': async () => {
    const page = await open();
    await isPlaying(page);
    for (const smooth of ['sdarts-adv', 'sdarts-rs']) {
      await choose(page, 'smooth', smooth);
      const count = ['darts', smooth].reduce((sum, method) => sum + new Set(rows.filter(row => row.method === method).map(({ seed }) => seed)).size, 0);
      assert.equal(await page.locator('#story-accuracy .pale').count(), count, 'a line for every run');
    }
    await page.click('#story-play');
    await goTo(page, 17);
    const seed = await page.locator('#story-seed input:checked').inputValue();
    for (const [index, method] of ['darts', 'sdarts-rs'].entries()) {
      const skips = kept(method, seed)[16].architecture.split('skip_connect').length - 1;
      const words = await page.locator('#story .design').nth(index).textContent();
      assert.equal(Number(words.match(/(\d+) skip/)?.[1] ?? 0), skips, `${method}: ${words}`);
      assert.equal(await page.locator('.network').nth(index).locator('.strand.kept.op-skip_connect').count(), skips);
    }
    return page;
  },

  'the wobble is seen where there is one': async () => {
    const page = await open();
    await isPlaying(page);
    const widths = lane => page.locator('.network').nth(lane).locator('.strand').evaluateAll(all => all.map(strand => strand.getAttribute('stroke-width')).join());
    const moves = lane => page.waitForFunction(([index, before]) => [...document.querySelectorAll('.network')[index].querySelectorAll('.strand')].map(strand => strand.getAttribute('stroke-width')).join() !== before, [lane, before]);
    let before = await widths(1);
    await moves(1);
    await page.click('#story-play');
    await goTo(page, epochs);
    before = await widths(1);
    await page.waitForTimeout(400);
    assert.equal(await widths(1), before, 'a replay that stands does not wobble');
    assert.match(await page.locator('#story .wobble').nth(1).textContent(), /±0\.29/);
    assert.equal(await page.locator('#story .wobble').nth(0).textContent(), 'no wobble');
    return page;
  },

  'the story is told by keyboard, and with reduced motion stands at its end': async () => {
    const page = await open('', { reducedMotion: 'reduce' });
    await page.locator(`#story-at:text-is("Epoch ${epochs} of ${epochs}")`).waitFor();
    assert.equal(await page.textContent('#story-play'), 'Play');
    await page.focus('#story-epoch');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.textContent('#story-at'), `Epoch 2 of ${epochs}`);
    await page.focus('#story-play');
    await page.keyboard.press('Enter');
    await isPlaying(page);
    await page.keyboard.press('Enter');
    await page.focus('#story-seed input:checked');
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await page.locator('#story-seed input:checked').inputValue(), '0');
    return page;
  },

  'a point moves over both landscapes, by pointer and by keyboard': async () => {
    const page = await open();
    await isPlaying(page);
    await page.locator('#story-landscape').scrollIntoViewIfNeeded();
    const maps = page.locator('#story-landscapes svg');
    await maps.nth(1).waitFor();
    const said = () => page.locator('#story-landscape-said').textContent();
    assert.match(await said(), /^Where the searches ended: DARTS [\d.]+ %, SDARTS-RS/);
    await maps.first().focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await said(), /^Moved by 0\.\d along the gradient and 0\.0 across: DARTS [\d.]+ %, SDARTS-RS/);
    const box = await maps.nth(1).boundingBox();
    await page.mouse.move(box.x + box.width - 2, box.y + 2);
    assert.match(await said(), /^Moved by 1\.0 along the gradient and 1\.0 across/);
    const wanted = ['darts', 'sdarts-rs'].map(method => landscape.find(row => row.method === method && row.seed === '0' && row.x > 0.99 && row.y > 0.99));
    assert.deepEqual(await page.locator('#story-landscapes strong').allTextContents(), wanted.map(({ accuracy }) => `${(100 * accuracy).toFixed(1)} %`));
    const marks = await page.locator('#story-landscapes .mark').evaluateAll(all => all.map(mark => mark.getAttribute('cx')));
    assert.equal(new Set(marks).size, 1, 'in both');
    return page;
  },

  'nobody is shut out of the story (axe)': async () => {
    for (const options of [{}, { colorScheme: 'dark' }, { viewport: { width: 390, height: 844 } }]) {
      const page = await open('', options);
      await isPlaying(page);
      for (const details of await page.locator('#story > details > summary').all()) await details.click();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`), [], JSON.stringify(options));
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `nothing is wider than the window: ${wide}`);
      await page.context().close();
    }
  },
};
