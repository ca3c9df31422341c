// The story: two recorded searches of one seed, replayed side by side.

import { bytes } from '../fetch.js';
import { Chart } from './chart.js';
import { Course, shaken } from './course.js';
import { Network } from './network.js';
import { tabulate } from './table.js';

/** Time of an epoch of the replay and of a wobble, in ms: 50 epochs take 20 s. */
const EPOCH = 400;
const WOBBLE = 130;

export const PLAIN = 'darts';
export const SMOOTH = { 'sdarts-rs': 'SDARTS-RS', 'sdarts-adv': 'SDARTS-ADV' };

const COURSE = new URL('../../story/course.csv.gz', import.meta.url);
const LANDSCAPE = new URL('../../story/landscape.csv.gz', import.meta.url);
const text = async url => new TextDecoder().decode(await bytes(url, true));
const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

class Story {
  seed = 0;
  smooth = 'sdarts-rs';
  epoch = 0;
  #timers = [];
  #landscapes = null;

  constructor(root, course) {
    this.course = course;
    this.find = selector => root.querySelector(selector);
    this.lanes = [...root.querySelectorAll('.lane')].map(element => ({ element, network: new Network(element.querySelector('.cell')) }));
    this.accuracy = new Chart(this.find('#story-accuracy'), 230);
    this.hessian = new Chart(this.find('#story-hessian'), 140);
    this.slider = this.find('#story-epoch');
    this.slider.max = course.epochs;
    this.slider.addEventListener('input', () => {
      this.epoch = this.slider.value - 1;
      this.pause();
    });
    this.find('#story-play').addEventListener('click', () => this.playing ? this.pause() : this.play());
    this.#choices('smooth', Object.entries(SMOOTH), smooth => this.choose({ smooth }));
    document.addEventListener('visibilitychange', () => document.hidden && this.pause());
    tabulate(this.find('#story-numbers'), course);
    const sight = new IntersectionObserver(entries => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      sight.disconnect();
      this.#loadLandscapes().catch(() => {}); // the rest of the story goes on without
    }, { rootMargin: '300px' });
    sight.observe(this.find('#story-landscape'));
    this.choose({});
  }

  /** Radio buttons into the group of this name, unless it has these. */
  #choices(name, options, choose) {
    const group = this.find(`#story-${name}`);
    if (String([...group.querySelectorAll('input')].map(({ value }) => value)) === String(options.map(([value]) => value))) return;
    group.querySelectorAll('label').forEach(label => label.remove());
    for (const [value, title] of options) {
      const input = Object.assign(document.createElement('input'), { type: 'radio', name: `story-${name}`, value });
      input.checked = String(this[name]) === String(value);
      input.addEventListener('change', () => choose(value));
      const label = document.createElement('label');
      label.append(input, ` ${title}`);
      group.append(label);
    }
  }

  /** The seeds that both searches were run with. */
  #seeds(smooth) { return this.course.seeds(PLAIN).filter(seed => this.course.run(smooth, seed)); }

  get methods() { return [PLAIN, this.smooth]; }

  /** Shows another seed or another smoothing, from its start if the replay was at its end. */
  choose({ seed = this.seed, smooth = this.smooth }) {
    const { course } = this;
    const seeds = this.#seeds(smooth);
    if (!seeds.includes(seed)) [seed] = seeds;
    const again = this.seed !== seed || this.smooth !== smooth;
    Object.assign(this, { seed, smooth });
    this.#choices('seed', seeds.map(one => [one, String(one)]), one => this.choose({ seed: Number(one) }));
    const chosen = this.methods.map(method => course.seeds(method).indexOf(seed));
    const curves = read => this.methods.map(method => course.seeds(method).map(one => course.run(method, one).map(read)));
    const names = `DARTS and ${SMOOTH[smooth]}, all seeds; seed ${seed} is strong`;
    this.accuracy.shown = { curves: curves(({ accuracy }) => accuracy), chosen, ticks: TICKS, unit: share, words: `True accuracy over the epochs: ${names}` };
    const norms = curves(({ norm }) => norm);
    const most = Math.ceil(Math.max(...norms.flat(2)) * 2) / 2;
    this.hessian.shown = { curves: norms, chosen, ticks: [0, most / 2, most], unit: value => value.toFixed(2), words: `Hessian norm over the epochs: ${names}` };
    this.find('.lane:last-child .method').textContent = SMOOTH[smooth];
    this.#showLandscapes();
    if (again && this.epoch === course.epochs - 1) this.play();
    else this.show(this.epoch);
  }

  /** Shows an epoch, counted from 0. */
  show(epoch) {
    this.epoch = epoch;
    this.slider.value = epoch + 1;
    this.slider.setAttribute('aria-valuetext', `epoch ${epoch + 1} of ${this.course.epochs}`);
    this.find('#story-at').textContent = `Epoch ${epoch + 1} of ${this.course.epochs}`;
    this.accuracy.at = epoch;
    this.hessian.at = epoch;
    this.methods.forEach((method, index) => this.#lane(this.lanes[index], this.course.run(method, this.seed)));
  }

  #lane({ element, network }, run) {
    const now = run[this.epoch];
    const best = Math.max(...run.slice(0, this.epoch + 1).map(({ accuracy }) => accuracy));
    const fall = best - now.accuracy;
    const text = (selector, words) => { element.querySelector(selector).textContent = words; };
    const norm = run.slice(0, this.epoch + 1).findLast(({ norm }) => norm !== null).norm;
    const growth = norm / run[0].norm;
    text('.sharp', `${growth.toFixed(1)} × as sharp`);
    text('.norm', norm.toFixed(2));
    text('.accuracy', `${now.accuracy.toFixed(1)} %`);
    text('.fall', fall < 0.05 ? 'its best so far' : `${fall.toFixed(1)} points below its best so far`);
    element.classList.toggle('fallen', fall >= 2);
    text('.design', inWords(now.kept));
    text('.wobble', now.epsilon ? `wobble: up to ±${now.epsilon.toFixed(2)} of every share` : 'no wobble');
    network.show(now.p, now.kept, `The cell after epoch ${this.epoch + 1}: ${inWords(now.kept)}, ${now.accuracy.toFixed(1)} % right`);
  }

  /** The landscapes, when they come into view. */
  async #loadLandscapes() {
    const [{ Landscapes }, kept] = await Promise.all([import('./landscape.js'), text(LANDSCAPE)]);
    this.#landscapes = new Landscapes(kept, { parent: this.find('#story-landscapes'), scale: this.find('#story-scale'), said: this.find('#story-landscape-said') });
    this.#showLandscapes();
  }

  #showLandscapes() {
    this.#landscapes?.show(this.seed, { [PLAIN]: 'DARTS', [this.smooth]: SMOOTH[this.smooth] });
  }

  #wobble() {
    const { p, kept, epsilon } = this.course.run(this.smooth, this.seed)[this.epoch];
    this.lanes[1].network.show(shaken(p, epsilon), kept);
  }

  get playing() { return this.#timers.length > 0; }

  play() {
    this.#stop();
    if (this.epoch >= this.course.epochs - 1) this.epoch = 0;
    this.show(this.epoch);
    const step = () => this.epoch + 1 < this.course.epochs ? this.show(this.epoch + 1) : this.pause();
    this.#timers = [setInterval(step, EPOCH)];
    performance.mark('story');
    if (!calm()) this.#timers.push(setInterval(() => this.#wobble(), WOBBLE));
    this.#button();
  }

  pause() {
    this.#stop();
    this.show(this.epoch);
    this.#button();
    if (this.epoch === this.course.epochs - 1) this.find('#story-said').textContent = this.#ending();
  }

  #stop() {
    this.#timers.forEach(clearInterval);
    this.#timers = [];
  }

  #button() { this.find('#story-play').textContent = this.playing ? 'Pause' : 'Play'; }

  /** For those who listen. */
  #ending() {
    const ends = this.methods.map((method, index) => `${index ? SMOOTH[method] : 'DARTS'} ends at ${this.course.run(method, this.seed).at(-1).accuracy.toFixed(1)} %`);
    return `Seed ${this.seed}: ${ends.join(', ')}.`;
  }
}

/** What a cell keeps: "4 skip connections, 2 convolutions". */
function inWords(kept) {
  const count = test => kept.filter(test).length;
  const parts = [
    [count(name => name.startsWith('nor_conv')), 'convolution'],
    [count(name => name === 'skip_connect'), 'skip connection'],
    [count(name => name === 'avg_pool_3x3'), 'pooling'],
    [count(name => name === 'none'), 'edge without anything'],
  ];
  const plural = (number, name) => number === 1 ? name : name.replace(/^edge/, 'edges').replace(/(convolution|connection|pooling)$/, '$1s');
  return parts.filter(([number]) => number).map(([number, name]) => `${number} ${plural(number, name)}`).join(', ');
}

/** The axis of accuracies. A few cells, without a path from image to class, are far below all others: they are drawn at its end. */
const TICKS = [50, 60, 70, 80, 90, 100];
const share = value => value === TICKS[0] ? `≤ ${value} %` : `${value.toFixed(0)} %`;

/** Loads the story and plays it, unless `plays` says no or the reader wants no motion: then its end is shown. */
export async function begin(root, plays) {
  const story = new Story(root, new Course(await text(COURSE)));
  if (plays && !calm()) story.play();
  else story.show(story.course.epochs - 1);
  return story;
}
