// One search on the page: its column, its worker, its pictures.

import { Client } from './client.js';
import { ignoreStopped } from './connection.js';
import { draw, erase, tabulate } from './figures.js';

/** The landscape that a click measures: points a side, and validation images. On one core some 20 ms a point. */
const LANDSCAPE = { grid: 11, images: 64 };

/** Time between two stages of the slow motion, in ms. */
const STAGE = 700;

export class Panel {
  status = null;
  /** Figures in view; others are not drawn. */
  #seen = new Set();
  #sight = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) this.#seen[isIntersecting ? 'add' : 'delete'](target.dataset.figure);
    this.#want();
  }, { rootMargin: '200px' });
  #figures = new Map();
  #wanted = [];
  #stages = 0;
  #scale = null;
  /** Whether a GPU compiles its kernels: nothing has been computed yet. */
  #compiling = false;
  /** What is being measured: name → the promise of its end. */
  #measuring = new Map();

  /** `report` hears of errors, `progress(words, share)` of the loading of the program. */
  constructor(parent, report, progress) {
    this.report = report;
    this.client = new Client(progress);
    this.element = document.getElementById('panel').content.firstElementChild.cloneNode(true);
    parent.append(this.element);
    for (const button of this.element.querySelectorAll('[data-save]')) {
      button.addEventListener('click', () => this.#save(button.dataset.save).catch(report));
    }
    for (const button of this.element.querySelectorAll('[data-measure]')) {
      const what = button.dataset.measure;
      button.addEventListener('click', () => this.#cancels(what) || this.measure(what).catch(report));
    }
    this.client.addEventListener('frame', ({ detail }) => this.show(detail.frame));
    // What comes before the first step needs no kernels.
    this.client.addEventListener('event', ({ detail }) => { this.#compiling &&= !detail.line.startsWith('{"type":"step"'); });
    this.client.addEventListener('part', ({ detail }) => this.#part(detail.part));
  }

  #find(selector) { return this.element.querySelector(selector); }

  /** The figures in their order: {name, title, open, empty} each. Those that are there stay as they are. */
  set figures(list) {
    const parent = this.#find('.figures');
    const before = this.#figures;
    if (String([...before.keys()]) === String(list.map(({ name }) => name))) return; // keeps the focus
    this.#figures = new Map(list.map(row => [row.name, before.get(row.name) ?? this.#makeFigure(row)]));
    parent.replaceChildren(...[...this.#figures.values()].map(({ element }) => element));
    this.#sight.disconnect();
    for (const { element } of this.#figures.values()) this.#sight.observe(element);
  }

  #makeFigure({ name, title, open, empty }) {
    const element = document.getElementById('figure').content.firstElementChild.cloneNode(true);
    element.dataset.figure = name;
    element.open = open;
    element.querySelector('summary').textContent = title;
    const picture = element.querySelector('.picture');
    picture.dataset.empty = empty;
    const table = element.querySelector('.table');
    table.setAttribute('aria-label', title);
    table.setAttribute('role', 'region');
    element.addEventListener('toggle', () => this.#want());
    const button = element.querySelector('.as-table');
    button.setAttribute('aria-label', `${title} as a table`);
    button.addEventListener('click', () => this.#toggleTable(name).catch(this.report));
    return { element, title, table, button, picture };
  }

  #want() {
    const wanted = [...this.#figures].filter(([name, figure]) => figure.element.open && this.#seen.has(name)).map(([name]) => name);
    if (String(wanted) !== String(this.#wanted)) this.client.want(this.#wanted = wanted);
  }

  async #toggleTable(name) {
    const { table, button, picture, title } = this.#figures.get(name);
    const on = table.hidden;
    if (on) {
      const csv = this.client.isOpen ? await this.client.table(name) : undefined;
      if (csv) tabulate(table, csv, title);
      else table.textContent = 'No numbers yet.';
    }
    table.hidden = !on;
    picture.hidden = on;
    button.setAttribute('aria-pressed', String(on));
  }

  /** Opens the figure of this name and marks it for a while. */
  light(name) {
    const { element } = this.#figures.get(name) ?? {};
    if (!element) return this.element; // nothing is known of the figures yet
    element.open = true;
    element.classList.add('lit');
    setTimeout(() => element.classList.remove('lit'), 4000);
    return element;
  }

  set title(text) { this.#find('h3').textContent = text; }
  set badge(text) { this.#find('.badge').textContent = text; }
  set visible(on) { this.element.hidden = !on; }
  get visible() { return !this.element.hidden; }

  /** Says that nothing can be seen for a while, because a GPU gets its kernels. */
  compiles() {
    this.#compiling = true;
    this.#find('.status').textContent = 'Compiling the kernels for the GPU: the first steps can take a minute…';
  }

  /** Files can be saved of what this browser computed or was given. */
  set saves(names) {
    for (const button of this.element.querySelectorAll('[data-save]')) button.disabled = !names.includes(button.dataset.save);
  }

  /** Whether there is a search to measure. */
  set measures(on) {
    for (const button of this.element.querySelectorAll('[data-measure]')) button.disabled = !on;
  }

  /** Measures the Hessian or the landscape now, unless that is under way; fulfilled at its end. */
  measure(what) {
    if (!this.#measuring.has(what)) {
      const done = this.#measure(what).finally(() => this.#ends(what, done));
      this.#measuring.set(what, done);
      this.#name(what);
    }
    return this.#measuring.get(what);
  }

  async #measure(what) {
    this.light(what);
    if (what === 'hessian') {
      await this.client.hessian();
      return this.#say(`the Hessian norm is ${this.status.hessian.toPrecision(3)}`);
    }
    this.#scale = null; // a worker that was started again does not know it
    const complete = await this.client.landscape(LANDSCAPE);
    if (!complete) return;
    const drop = 100 * this.status.landscape.mean_drop;
    const way = drop > -0.05 ? `drops by ${Math.abs(drop).toFixed(1)}` : `rises by ${(-drop).toFixed(1)}`;
    const trained = this.status.valid_accuracy === null ? '. No epoch has ended yet: the weights are hardly trained' : '';
    this.#say(`the landscape is measured, the accuracy ${way} points on average around the architecture${trained}`);
  }

  /** Ends a landscape that is under way; the worker is not waited for. */
  #cancels(what) {
    if (what !== 'landscape' || !this.#measuring.has(what)) return false;
    this.client.cancel();
    this.#ends(what, this.#measuring.get(what));
    this.#say('the landscape was cancelled');
    return true;
  }

  #ends(what, done) {
    if (this.#measuring.get(what) !== done) return;
    this.#measuring.delete(what);
    this.#name(what);
  }

  /** The words on a button of the measurements. */
  #name(what) {
    const button = this.#find(`[data-measure=${what}]`);
    const { points = 0, of = LANDSCAPE.grid ** 2 } = this.status?.landscape ?? {};
    const [idle, busy] = what === 'hessian' ? ['Measure the Hessian norm', 'Measuring the Hessian norm…']
      : ['Measure the landscape', `Cancel the landscape (${points} of ${of} points)`];
    button.textContent = this.#measuring.has(what) ? busy : idle;
    button.setAttribute('aria-busy', String(this.#measuring.has(what)));
  }

  /** Colours of the landscape that compare with those of the other panel. */
  scale(low, high) {
    if (String(this.#scale) === String([low, high])) return;
    this.#scale = [low, high];
    this.client.scale(low, high);
  }

  #say(text) {
    if (!this.status) return;
    const line = `${this.status.title}: ${text}.`;
    this.element.dispatchEvent(new CustomEvent('measured', { bubbles: true, detail: line }));
  }

  /** Forgets the pictures of the search before. */
  clear() {
    this.status = null;
    this.#compiling = false;
    this.#scale = null;
    this.#stages++;
    this.#find('progress').value = 0;
    this.#find('.share-value').textContent = '–';
    for (const { picture, table, button } of this.#figures.values()) {
      erase(picture);
      picture.hidden = false;
      table.hidden = true;
      button.setAttribute('aria-pressed', 'false');
    }
    this.#find('.status').textContent = '';
    this.#find('.alarm').hidden = true;
    this.#find('.outcome').hidden = true;
    this.element.classList.remove('collapsed');
  }

  /** Shows a frame: {status, figures}. */
  show({ status, figures }) {
    for (const [name, svg] of Object.entries(figures)) {
      const figure = this.#figures.get(name);
      if (figure) draw(figure.picture, svg);
    }
    this.#tell(status);
  }

  #tell(status) {
    if (!status.method) return;
    const before = this.status;
    this.status = status;
    this.title = status.title;
    const percent = value => `${Math.round(100 * value)} %`;
    const at = status.finished ? 'finished' :
      `epoch ${status.epoch + 1} of ${status.epochs}, step ${status.step} of ${status.steps_per_epoch}`;
    const accuracy = status.valid_accuracy === null ? '' : `, validation accuracy ${percent(status.valid_accuracy)}`;
    const hessian = status.hessian === null ? '' : `, Hessian norm ${status.hessian.toPrecision(3)}`;
    if (!this.#compiling) this.#find('.status').textContent =
      `${at}${accuracy}${hessian}, ε ${status.epsilon.toFixed(3)}, space ${status.space}, ${status.parameters.toLocaleString('en')} weights`;
    this.#find('progress').value = status.parameter_free ?? 0;
    this.#find('progress').setAttribute('aria-label', `${status.title}: share of parameter-free operations`);
    this.#find('.share-value').textContent = status.parameter_free === null ? '–' : percent(status.parameter_free);
    if (this.#measuring.has('landscape')) this.#name('landscape');
    if (status.landscape?.points !== before?.landscape?.points) {
      this.element.dispatchEvent(new CustomEvent('scale', { bubbles: true }));
    }
    const [skips, genes] = status.skips ?? [0, 0];
    const collapsed = Boolean(status.warning) && skips > genes / 2;
    this.element.classList.toggle('collapsed', collapsed);
    const alarm = this.#find('.alarm');
    alarm.hidden = !collapsed;
    if (collapsed) alarm.textContent = `Collapse: ${skips} of ${genes} operations of the cell are skip connections, at more than 1.1 times an even share. ${explain(status.epsilon)}`;
    if (status.finished !== before?.finished) this.element.dispatchEvent(new CustomEvent('outcome', { bubbles: true, detail: { panel: this, element: this.#find('.outcome') } }));
    // A search can end before its second frame.
    if (before && status.epoch > before.epoch || status.finished && !before?.finished) {
      this.element.dispatchEvent(new CustomEvent('epoch', { bubbles: true }));
    }
  }

  /** One line for those who listen. */
  get summary() {
    if (!this.status?.method) return '';
    const { title, epoch, epochs, parameter_free: free, valid_accuracy: accuracy, finished } = this.status;
    const percent = value => value === null ? 'unknown' : `${Math.round(100 * value)} %`;
    return `${title}: ${finished ? 'finished' : `epoch ${epoch + 1} of ${epochs}`}, parameter-free ${percent(free)}, accuracy ${percent(accuracy)}.`;
  }

  /** Reveals the stages of a perturbation one after another. */
  async #part(part) {
    if (part.part !== 'perturb') return;
    if (part.epsilon === 0) return this.#say('this search does not perturb, ε is 0');
    this.light('perturbation');
    const picture = this.#figures.get('perturbation')?.picture;
    if (!picture) return;
    const run = ++this.#stages;
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    for (const stage of ['1', '2', '3', '4']) {
      if (run !== this.#stages) return;
      picture.dataset.shown = stage;
      await new Promise(done => setTimeout(done, STAGE));
    }
  }

  async #save(what) {
    if (what === 'events') return download('events.jsonl', this.client.lines.map(line => `${line}\n`).join(''));
    await this.client.ensure();
    if (what === 'genotype') {
      const text = await this.client.genotype();
      if (!text) throw new Error('There is no genotype before the first epoch has ended.');
      return download('genotype.json', text);
    }
    await this.client.save().catch(ignoreStopped);
    if (!this.client.snapshot) throw new Error('There is no checkpoint between the parts of a step: finish it first.');
    return download('checkpoint.safetensors', this.client.snapshot.bytes);
  }
}

function explain(epsilon) {
  return epsilon === 0
    ? 'They crowd out what has weights.'
    : 'The perturbation does not prevent it here.';
}

function download(name, content) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
