// The page: the story at once; the playground, with the program and its images, when it is asked for.

import { begin } from './story/story.js';
import { namesRun } from './link.js';

const find = id => document.getElementById(id);

/** The playground, once it is asked for. */
let opened = null;

async function playground() {
  opened ??= import('./playground.js').then(({ Playground }) => new Playground());
  return opened;
}

/** Shows what went wrong before there is a playground that could. */
function report(error) {
  opened = null;
  find('message').textContent = `The playground cannot be loaded: ${error.message ?? error}. The story above needs nothing of it.`;
  find('message').hidden = false;
}

/** Opens the run that the address names, or the first one. */
async function load() {
  const page = await playground();
  await page.load();
}

const linked = namesRun(location.hash);
begin(find('story'), !linked).catch(report);
find('load').addEventListener('click', () => load().catch(report));
addEventListener('hashchange', () => { if (namesRun(location.hash)) load().catch(report); });
for (const id of ['open-events', 'open-folder']) {
  find(id).addEventListener('change', async event => (await playground()).take([...event.target.files]));
}
addEventListener('dragover', event => { event.preventDefault(); document.body.classList.add('dropping'); });
addEventListener('dragleave', () => document.body.classList.remove('dropping'));
addEventListener('drop', async event => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  // The items are gone after the first await.
  const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry()).filter(Boolean);
  (await playground()).drop(entries);
});
if (linked) {
  find('playground').scrollIntoView();
  load().catch(report);
}
