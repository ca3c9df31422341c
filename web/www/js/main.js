// The page: two panels, one set of controls, and the address that repeats the run.

import { show as showCards, CARDS } from './cards.js';
import { Client, ignoreStopped } from './client.js';
import { byClass } from './images.js';
import { Panel } from './panel.js';
import * as link from './link.js';
import { play as playRecorded } from './recorded.js';
import { NONE, PAIRS } from './pairs.js';
import { keep, kept, forget } from './store.js';

const find = id => document.getElementById(id);
const controls = ['play', 'step', 'part', 'stop', 'restart'].map(find);

class Page {
  state = { ...link.DEFAULTS, settings: {} };
  images = null;
  /** Whether there are searches, and whether a file is shown in their place. */
  live = false;
  viewing = false;

  constructor() {
    const report = error => this.report(error);
    this.panels = [0, 1].map(() => new Panel(find('panels'), report));
    this.panels.forEach(panel => {
      panel.client.addEventListener('failed', ({ detail }) => this.#failed(panel, detail.message));
      panel.client.addEventListener('finished', () => this.#buttons());
    });
    find('panels').addEventListener('epoch', () => {
      find('live').textContent = this.#shown().map(panel => panel.summary).join(' ');
    });
    find('panels').addEventListener('measured', ({ detail }) => { find('live').textContent = detail; });
    find('panels').addEventListener('scale', () => this.#rescale());
    this.#bind();
    showCards(find('cards'), this);
  }

  #shown() { return this.panels.filter(panel => panel.visible); }
  /** The chosen folder, if these searches are on it. */
  get #folder() { return this.state.settings['data.name'] === 'folder' ? this.images : null; }
  get #playing() { return this.#shown().some(panel => panel.client.playing); }

  #bind() {
    const on = (id, act) => find(id).addEventListener('click', () => this.#try(act));
    on('play', () => this.toggle());
    on('step', () => this.#each(panel => panel.client.step(false)));
    on('part', () => this.part());
    on('stop', () => this.stop());
    on('restart', () => this.open(true));
    on('copy', () => navigator.clipboard.writeText(location.href));
    find('speed').addEventListener('change', () => this.#try(() => this.#playing && this.play()));
    find('form').addEventListener('submit', event => { event.preventDefault(); this.#try(() => this.#apply()); });
    for (const button of document.querySelectorAll('[data-pair]')) {
      button.addEventListener('click', () => this.#try(() => this.compare(button.dataset.pair)));
    }
    addEventListener('keydown', event => this.#key(event));
    addEventListener('hashchange', () => this.#try(() => this.load()));
    document.addEventListener('visibilitychange', () => document.hidden && this.#keep());
    find('open-events').addEventListener('change', event => this.#try(() => this.#files([...event.target.files])));
    find('open-folder').addEventListener('change', event => this.#try(() => this.#files([...event.target.files])));
    addEventListener('dragover', event => { event.preventDefault(); document.body.classList.add('dropping'); });
    addEventListener('dragleave', () => document.body.classList.remove('dropping'));
    addEventListener('drop', event => {
      event.preventDefault();
      document.body.classList.remove('dropping');
      const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry()).filter(Boolean);
      this.#try(async () => this.#files((await Promise.all(entries.map(walk))).flat()));
    });
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.report(error);
    }
    this.#buttons();
  }

  report(error) {
    try {
      ignoreStopped(error);
    } catch {
      this.tell(error.message ?? String(error));
    }
  }

  tell(text) {
    find('message').textContent = text;
    find('message').hidden = !text;
  }

  #buttons() {
    for (const button of controls) button.disabled = !this.live || this.viewing && button.id !== 'restart';
    find('play').textContent = this.#playing ? 'Pause' : 'Play';
    const chosen = String([this.state.left, this.state.right]);
    for (const button of document.querySelectorAll('[data-pair]')) {
      button.setAttribute('aria-pressed', String(String(PAIRS[button.dataset.pair]) === chosen));
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
    const press = id => { event.preventDefault(); find(id).click(); };
    const onButton = event.target.closest('button, summary, a');
    if (event.key === ' ' && !onButton) press('play');
    else if (event.key === '.') press('step');
    else if (event.key === ',') press('part');
    else if (event.key === 'Escape') press('stop');
    else if (event.key >= '1' && event.key <= String(CARDS.length)) {
      find('cards').children[Number(event.key) - 1].querySelector('button').focus();
    }
  }

  #each(act) { return Promise.all(this.#shown().map(act)); }

  get #how() {
    const speed = find('speed').value;
    return speed === 'parts' ? { delay: 3200, parts: true } : { delay: Number(speed), parts: false };
  }

  async play() {
    await this.#each(panel => panel.status?.finished || panel.client.play(this.#how));
  }

  toggle() { return this.#playing ? this.#each(panel => panel.client.pause()) : this.play(); }
  part() { return this.#try(() => this.#each(panel => panel.client.step(true))); }

  /** Measures all panels, where they stand. */
  async measure() {
    await this.#each(async panel => {
      await panel.measure('hessian');
      await panel.measure('landscape');
    });
  }

  /** One scale of colours for the landscapes of all panels. */
  #rescale() {
    const ranges = this.#shown().map(panel => panel.status?.landscape).filter(measured => measured?.points);
    if (!ranges.length) return;
    const low = Math.min(...ranges.map(range => range.low));
    const high = Math.max(...ranges.map(range => range.high));
    for (const panel of this.#shown()) panel.scale(low, high);
  }

  /** Ends the workers at once; Play goes on from their last snapshots. */
  stop() {
    this.panels.forEach(panel => panel.client.terminate());
    find('live').textContent = 'Stopped. Play goes on from the last snapshot.';
  }

  /** Searches with the two methods of a pair. */
  compare(pair, speed) {
    if (speed) find('speed').value = speed;
    const [left, right] = PAIRS[pair];
    this.state = { ...this.state, left, right };
    return this.#try(() => this.open(true));
  }

  /** Marks a figure in the last visible panel. */
  light(name) {
    this.#shown().forEach(panel => panel.light(name));
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#shown().at(-1).light(name).scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
  }

  #apply() {
    const settings = { ...this.state.settings };
    for (const [name, value] of new FormData(find('form'))) {
      if (name === 'seed' || name.includes('.')) {
        if (value === '') delete settings[name];
        else settings[name] = Number.isFinite(Number(value)) ? Number(value) : value;
      } else {
        this.state[name] = value;
      }
    }
    this.state.settings = settings;
    return this.open(true);
  }

  /** Shows the settings of a search in the form. */
  #fill(config) {
    const form = find('form');
    this.#hold();
    for (const input of form.elements) {
      const [section, key] = (input.name ?? '').split('.');
      const value = key ? config[section]?.[key] : config[section];
      if (input.name && value !== undefined && !link.DEFAULTS[input.name]) set(input, value);
    }
  }

  /** Shows in the form what the link names, also before it is known what else there is. */
  #hold() {
    const { elements } = find('form');
    for (const name of ['left', 'right', 'device']) set(elements[name], this.state[name]);
    const space = this.state.settings['search.space'];
    if (space !== undefined) set(elements['search.space'], space);
  }

  /** Takes over what the program behind the page offers. */
  #offer({ methods, spaces, figures }) {
    const { elements } = find('form');
    const own = names => names.map(name => ({ name, help: '' }));
    offer(elements.left, methods);
    offer(elements.right, [...methods, ...own([NONE])]);
    offer(elements['search.space'], spaces);
    offer(elements.device, own(link.DEVICES));
    this.#hold();
    for (const panel of this.panels) panel.figures = figures;
  }

  #failed(panel, message) {
    const at = panel.client.snapshot ? 'goes on from the last snapshot' : 'starts again';
    this.tell(`${message}. Play ${at}.`);
    this.#buttons();
  }

  /** Reads the address and opens its searches; those that were kept for it go on. */
  async load() {
    try {
      this.state = link.read(location.hash);
      this.#hold();
      if (this.state.settings['data.name'] === 'folder' && !this.images) {
        throw new Error('This link searches on a folder of images, which is not part of it: choose the folder below');
      }
      const record = await kept().catch(() => null);
      await this.open(false, record?.address === link.write(this.state) ? record.searches ?? record.lanes : null); // lanes: of an earlier version
    } catch (problem) {
      this.state = { ...link.DEFAULTS, settings: {} };
      await this.open(false);
      this.tell(`${problem.message ?? problem}. Below is the search that the page starts with.`);
    }
  }

  /** Opens the searches of the state, and plays them. */
  async open(fresh, saved = null) {
    if (fresh) await forget().catch(() => {});
    this.viewing = false;
    const address = link.write(this.state);
    history.replaceState(null, '', address);
    this.tell('');
    const { left, right, device } = this.state;
    await Promise.all([left, right].map(async (method, index) => {
      const panel = this.panels[index];
      panel.visible = method !== NONE;
      panel.client.terminate();
      if (method === NONE) return;
      const request = link.request(this.state, method);
      const answer = await panel.client.open({ request, device, images: this.#folder }, saved?.[index]);
      this.#offer(answer.catalogues);
      if (!saved) panel.clear();
      panel.title = answer.catalogues.methods.find(({ name }) => name === method)?.title ?? method;
      const where = answer.kind === 'webgpu' ? 'live on WebGPU' : `live on the CPU (${answer.why})`;
      panel.badge = this.#folder ? `${where}, ${listed(this.#folder)} of yours` : where;
      panel.saves = ['genotype', 'events', 'checkpoint'];
      panel.measures = true;
      if (index === 0) this.#fill(answer.config);
    }));
    this.live = true;
    if (saved) find('live').textContent = 'Goes on where you left it. "Start over" begins again.';
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches || fresh) await this.play();
    this.#buttons();
  }

  #keep() {
    if (!this.live || this.viewing || this.#folder || !this.panels[0].client.snapshot) return;
    const searches = this.panels.map(({ client }) => ({ snapshot: client.snapshot, lines: client.lines }));
    keep({ address: link.write(this.state), searches }).catch(() => {});
  }

  /** Files from a drop or a dialog: events of a run, or a folder of images. */
  async #files(files) {
    const events = files.find(file => file.name.endsWith('.jsonl'));
    if (events) return this.#view(events);
    this.images = byClass(files.map(file => ({ path: file.path ?? file.webkitRelativePath, file: file.file ?? file })));
    this.state.settings = { ...this.state.settings, 'data.name': 'folder', 'data.train_images': 0 };
    await this.open(true);
    find('live').textContent = `Searching on ${listed(this.images)}. They stay in this browser.`;
  }

  async #view(file) {
    const [panel, other] = this.panels;
    const text = await (file.file ?? file).text();
    // A file that cannot be read must not cost the searches that run.
    const probe = new Client();
    try {
      await probe.view(text);
    } catch (error) {
      throw new Error(`${file.name}: ${error.message}`);
    } finally {
      probe.terminate();
    }
    this.panels.forEach(({ client }) => client.terminate());
    panel.clear();
    await panel.client.view(text);
    this.viewing = true;
    other.visible = false;
    panel.badge = `recorded: ${file.name}`;
    panel.saves = ['genotype', 'events'];
    panel.measures = false;
    this.tell('');
  }
}

/** Sets an input; a select that does not offer the value gets it. */
function set(input, value) {
  const known = input.options && [...input.options].some(option => option.value === String(value));
  if (input.options && !known) input.add(new Option(value, value));
  input.value = value;
}

/** Gives a select these options, in the place of those that it has; what is chosen stays chosen. */
function offer(select, rows) {
  const chosen = select.value;
  if (String([...select.options].map(option => option.value)) === String(rows.map(({ name }) => name))) return;
  select.replaceChildren(...rows.map(({ name, help }) => {
    const option = new Option(name, name);
    option.title = help;
    return option;
  }));
  if (rows.some(({ name }) => name === chosen)) select.value = chosen;
}

const listed = ({ labelled, classes }) => `${labelled.length} images of ${classes.length} classes`;

/** The files of a dropped folder. */
async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: file.name, path: entry.fullPath, file, text: () => file.text() }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(walk))).flat());
  }
}

const page = new Page();
page.panels.forEach(panel => { panel.badge = 'recorded run; the search is loading'; });
playRecorded(page.panels, () => page.live).catch(() => {});
page.load().catch(error => {
  page.tell(`The search cannot run in this browser: ${error.message ?? error}. Below is a recorded run.`);
});
