// The playground: one or two live searches, one set of controls, and the address that repeats the run.

import { show as showCards, CARDS } from './cards.js';
import { Stopped, ignoreStopped } from './connection.js';
import { chosen, understand, walk } from './drop.js';
import { Form } from './form.js';
import { Keeper } from './keeper.js';
import { keepInStep } from './lanes.js';
import * as link from './link.js';
import { NONE, PAIRS } from './pairs.js';
import { show as showOutcome } from './outcome.js';
import { Panel } from './panel.js';
import { Series } from './series.js';
import { Speaker } from './speaker.js';
import { MOST_THREADS } from './threads.js';

const find = id => document.getElementById(id);
const controls = ['play', 'step', 'part', 'stop', 'restart'].map(find);
const listed = ({ labelled, classes }) => `${labelled.length} images of ${classes.length} classes`;

export class Playground {
  state = link.read('');
  images = null;
  /** Whether there are searches, and whether a file is shown in their place. */
  live = false;
  viewing = false;
  #series = new Series();
  #keeper = new Keeper();
  #form = new Form(find('form'));
  #speaker = new Speaker(find('live'));

  constructor() {
    const report = error => this.report(error);
    this.panels = [0, 1].map(() => new Panel(find('panels'), report, (words, share) => this.#loading(words, share)));
    this.panels.forEach((panel, lane) => {
      const { client } = panel;
      const on = (name, act) => client.addEventListener(name, act);
      on('failed', ({ detail }) => this.#failed(panel, detail.message));
      on('finished', () => this.#settle());
      on('event', ({ detail }) => detail.line.startsWith('{"type":"epoch_started"') && keepInStep(this.#shown()));
      on('snapshot', () => this.#keeper.keep(lane, client));
    });
    find('panels').addEventListener('epoch', () => this.#speaker.mention(this.#shown().map(panel => panel.summary).join(' ')));
    find('panels').addEventListener('measured', ({ detail }) => this.say(detail));
    find('panels').addEventListener('outcome', ({ detail: { panel, element } }) => {
      if (!this.viewing) showOutcome(element, this.state, panel.status).catch(report);
    });
    find('panels').addEventListener('scale', () => this.#rescale());
    this.#bind();
    showCards(find('cards'), this);
  }

  #shown() { return this.panels.filter(panel => panel.visible); }
  #each(act) { return Promise.all(this.#shown().map(act)); }
  get #playing() { return this.#shown().some(panel => panel.client.playing); }

  #bind() {
    const on = (id, act) => find(id).addEventListener('click', () => this.#try(act));
    on('play', () => this.toggle());
    on('step', () => this.#each(panel => panel.client.step(false)));
    on('part', () => this.part());
    on('stop', () => this.stop());
    on('restart', () => this.open(this.state));
    on('copy', async () => {
      await navigator.clipboard.writeText(location.href);
      this.say('The link is copied.');
    });
    find('speed').addEventListener('change', () => this.#try(() => this.#playing && this.play()));
    find('form').addEventListener('submit', event => { event.preventDefault(); this.#try(() => this.open(this.#form.apply(this.state))); });
    for (const button of document.querySelectorAll('[data-pair]')) {
      button.addEventListener('click', () => this.compare(button.dataset.pair));
    }
    addEventListener('keydown', event => this.#key(event));
  }

  async #try(act) {
    try {
      await act();
    } catch (error) {
      this.report(error);
    }
    this.#settle();
  }

  report(error) {
    try {
      ignoreStopped(error);
    } catch {
      this.tell(error.message ?? String(error));
    }
  }

  /** What went wrong. */
  tell(text) {
    find('message').textContent = text;
    find('message').hidden = !text;
  }

  /** What happens, for those who listen too. */
  say(text) { this.#speaker.say(text); }

  #loading(words, share) {
    const bar = find('loading');
    bar.hidden = false;
    bar.querySelector('span').textContent = `${words}${share === null ? '' : `: ${Math.round(100 * share)} %`}`;
    if (share === null) bar.querySelector('progress').removeAttribute('value');
    else bar.querySelector('progress').value = share;
  }

  /** Buttons, and what is kept, after the searches have begun or ended to play. */
  #settle() {
    for (const button of controls) button.disabled = !this.live || this.viewing && button.id !== 'restart';
    find('play').textContent = this.#playing ? 'Pause' : 'Play';
    const pair = String([this.state.left, this.state.right]);
    for (const button of document.querySelectorAll('[data-pair]')) {
      button.setAttribute('aria-pressed', String(String(PAIRS[button.dataset.pair]) === pair));
    }
    keepInStep(this.#shown());
    if (this.live && !this.viewing) this.#keeper.mark(this.#playing);
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

  get #how() {
    const speed = find('speed').value;
    return speed === 'parts' ? { delay: 3200, parts: true } : { delay: Number(speed), parts: false };
  }

  async play() {
    this.tell('');
    await this.#each(panel => panel.status?.finished || panel.client.play(this.#how));
    this.#settle();
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
    this.say('Stopped. Play goes on from the last snapshot.');
  }

  /** Searches with the two methods of a pair. */
  compare(pair, speed) {
    if (speed) find('speed').value = speed;
    const [left, right] = PAIRS[pair];
    return this.#try(() => this.open({ ...this.state, left, right }));
  }

  /** Marks a figure in all panels, and goes to the last of them. */
  light(name) {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const figures = this.#shown().map(panel => panel.light(name));
    figures.at(-1).scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
  }

  /** A search died: the others wait for it, so that Play goes on with all. */
  #failed(panel, message) {
    const at = panel.client.snapshot ? 'goes on from the last snapshot' : 'starts again';
    this.tell(`${message}. Play ${at}.`);
    this.#try(() => this.#each(({ client }) => client.pause()));
  }

  /** Reads the address and opens its searches; those that were kept for it go on. */
  async load() {
    find('start').hidden = true;
    find('live-searches').hidden = false; // its room is there before what comes into it
    let state;
    try {
      state = link.read(location.hash);
      if (state.settings['data.name'] === 'folder' && !this.images) {
        throw new Error('This link searches on a folder of images, which is not part of it: choose the folder below');
      }
      this.#form.hold(state);
      const saved = await this.#keeper.kept(link.write(state), [0, 1]);
      await this.open(state, { goesTo: 'here', saved });
    } catch (problem) {
      this.report(problem);
      if (this.live) history.replaceState(null, '', link.write(this.state)); // what is here goes on
      else if (!(problem instanceof Stopped)) await this.#instead(problem);
    }
    this.#settle();
  }

  /** The first search, where the address names none that can be opened. */
  async #instead(problem) {
    try {
      await this.open(link.read(''), { goesTo: 'here' });
      this.tell(`${problem.message ?? problem}. Below is the search that the playground starts with.`);
    } catch (error) {
      this.report(error);
      find('start').hidden = false; // another try
    } finally {
      find('loading').hidden = true;
    }
  }

  /**
   * Opens the searches of a state, and plays them. Those that are here stay until the others are open,
   * also when these cannot be. `goesTo` says whether the address gets a new entry in the history.
   */
  open(state, { goesTo = 'new', saved = null } = {}) {
    this.panels.forEach(({ client }) => client.abandon());
    return this.#series.run(() => this.#open(state, goesTo, saved));
  }

  async #open(state, goesTo, saved) {
    const images = state.settings['data.name'] === 'folder' ? this.images : null;
    const methods = [state.left, state.right];
    const coming = await Promise.all(methods.map((method, lane) => method === NONE ? null
      : this.panels[lane].client.prepare({ request: link.request(state, method), device: state.device, threads: Number(state.threads), images }, saved?.searches[lane])))
      .catch(error => {
        this.panels.forEach(({ client }) => client.abandon());
        if (this.live && !(error instanceof Stopped)) error.message += '. What was here goes on';
        throw error;
      });
    this.#goTo(link.write(state), goesTo);
    this.tell('');
    Object.assign(this, { state, live: true, viewing: false });
    find('loading').hidden = true;
    find('live-searches').hidden = false;
    if (images) this.#keeper.end();
    else this.#keeper.begin(link.write(state), saved?.searches);
    coming.forEach((one, lane) => this.#show(this.panels[lane], methods[lane], one, images));
    this.#form.fill(coming.find(Boolean).answer.config, state);
    this.say(saved ? 'Goes on where you left it. "Start over" begins again.' : images ? `Searching on ${listed(images)}. They stay in this browser.` : 'A new search begins.');
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (saved ? saved.playing : goesTo === 'new' || !calm) await this.play();
    this.#settle();
  }

  #goTo(address, goesTo) {
    if (goesTo === 'new' && address !== location.hash) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }

  /** Puts a search that was opened into its panel. */
  #show(panel, method, coming, images) {
    panel.visible = method !== NONE;
    if (!coming) return panel.client.terminate();
    const { answer: { catalogues, kind, why }, commit } = coming;
    this.#form.offer(catalogues, this.state);
    panel.figures = catalogues.figures;
    panel.clear();
    panel.title = catalogues.methods.find(({ name }) => name === method)?.title ?? method;
    const lacks = Number(this.state.threads) > MOST_THREADS ? `, at most ${MOST_THREADS} thread${MOST_THREADS === 1 ? '' : 's'} here` : '';
    const where = kind === 'webgpu' ? 'live on WebGPU' : `live on the CPU (${why}${lacks})`;
    panel.badge = images ? `${where}, ${listed(images)} of yours` : where;
    panel.saves = ['genotype', 'events', 'checkpoint'];
    panel.measures = true;
    commit();
    if (kind === 'webgpu') panel.compiles();
  }

  /** Files of a dialog. */
  take(files) { return this.#try(() => this.#files(chosen(files))); }

  /** Entries of a drop. */
  drop(entries) { return this.#try(async () => this.#files(await walk(entries))); }

  async #files(files) {
    const { events, images } = understand(files);
    find('start').hidden = true;
    if (events) return this.#series.run(() => this.#view(events));
    this.images = images;
    const settings = { ...this.state.settings, 'data.name': 'folder', 'data.train_images': 0 };
    await this.open({ ...this.state, settings });
  }

  async #view({ name, file }) {
    const [panel, other] = this.panels;
    let coming;
    try {
      coming = await panel.client.view(await file.text());
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    } finally {
      find('loading').hidden = true;
    }
    this.#keeper.end();
    find('live-searches').hidden = false;
    Object.assign(this, { live: true, viewing: true });
    other.client.terminate();
    other.visible = false;
    panel.visible = true;
    panel.figures = coming.answer;
    panel.clear();
    panel.badge = `recorded: ${name}`;
    panel.saves = ['genotype', 'events'];
    panel.measures = false;
    coming.commit();
    this.tell('');
    this.say(`Shows ${name}.`);
  }
}
