// Searches with several threads on the CPU, of a page that was built with --threads.

import assert from 'node:assert/strict';
import { SNAPSHOT, TINY, address, advances, continues, events, isLive, open, panel, saved, says, seconds } from './driver.mjs';

const badge = page => panel(page).locator('.badge').textContent();

/** The losses of a search of some epochs and its seconds, and what its badge says. */
async function run(threads, settings) {
  const page = await open(address('sdarts-adv', 'none', 'cpu', { ...settings, threads }));
  await isLive(page);
  const where = await badge(page);
  await says(page, /finished/, 300_000);
  const all = events(await saved(page, 'events'));
  assert.deepEqual(page.errors, []);
  await page.context().close();
  const losses = all.filter(({ type }) => type === 'step').map(({ train_loss, valid_loss }) => [train_loss, valid_loss]);
  return { where, losses, took: seconds(all) };
}

export default {
  'threads change no number of a search': async () => {
    const settings = { seed: 1, 'search.epochs': 2, 'search.channels': 16 };
    const [one, two] = [await run(1, settings), await run(2, settings)];
    console.log(`   SDARTS-ADV, 16 channels: ${one.took.toFixed(1)} s with one thread, ${two.took.toFixed(1)} s with two: ${(one.took / two.took).toFixed(2)} times as fast`);
    assert.match(two.where, /2 threads/);
    assert.doesNotMatch(one.where, /threads/);
    assert.equal(two.losses.length, 30);
    assert.deepEqual(two.losses, one.losses);
  },

  'a thread that ends is a message, and Play goes on': async () => {
    // The test has the end of the channel that a thread would tell of its panic.
    const worker = `const Channel = MessageChannel;
      self.MessageChannel = function () {
        const { port1, port2 } = new Channel();
        self.told = port2;
        return { port1, port2: new Channel().port2 };
      };`;
    const page = await open(address('darts', 'none', 'cpu', { ...TINY, 'search.epochs': 200, threads: 2 }), { worker });
    await isLive(page);
    await page.waitForTimeout(SNAPSHOT);
    await advances(page);
    const search = page.workers().find(worker => worker.url().endsWith('/worker.js'));
    await search.evaluate(() => self.told.postMessage('The search crashed: in a thread'));
    await page.locator('#message:has-text("in a thread")').waitFor({ timeout: 10_000 });
    console.log(`   ${await page.locator('#message').textContent()}`);
    assert.ok(await continues(page) > 0, 'it did not start again');
    await advances(page);
    return page;
  },

  'a thread that cannot begin is a message': async () => {
    // A thread gets no module.
    const worker = `const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (message, transfer) { post.call(this, { ...message, module: 0 }, transfer); };`;
    const page = await open(address('darts', 'none', 'cpu', { ...TINY, threads: 2 }), { worker });
    await page.locator('#message:has-text("A thread of the search ended")').waitFor({ timeout: 60_000 });
    console.log(`   ${await page.locator('#message').textContent()}`);
    await isLive(page); // the search that the playground begins with
    return page;
  },

  'a page that is not kept from other sites has one thread, and says so': async () => {
    const visit = page => page.route(url => url.pathname === '/', async route => {
      const answer = await route.fetch();
      const headers = Object.fromEntries(Object.entries(answer.headers()).filter(([name]) => !name.startsWith('cross-origin-')));
      await route.fulfill({ response: answer, headers });
    });
    const page = await open(address('darts', 'none', 'cpu', { ...TINY, threads: 2 }), { visit });
    await isLive(page);
    assert.match(await badge(page), /at most 1 thread here/);
    assert.ok(await page.locator('[name=threads]').isHidden());
    await advances(page);
    return page;
  },
};
