// A number over the epochs: a line for every seed of both searches, the chosen one strong up to where
// the replay stands, the others pale.

import { make } from './svg.js';

const TOP = 12;
const BOTTOM = 28;
/** Room for the numbers of the axis and of the ends; the slider below begins and ends there too (style.css). */
const LEFT = 54;
const RIGHT = 64;
const LINES = ['plain', 'smooth'];

export class Chart {
  #parent;
  #height;
  #shown = null;
  #at = 0;
  #moving = null;

  constructor(parent, height) {
    this.#parent = parent;
    this.#height = height;
    new ResizeObserver(() => this.#draw()).observe(parent);
  }

  /**
   * What to show: {curves, chosen, ticks, unit, words}. `curves` are the values of every seed of both
   * searches, one an epoch, null where nothing was measured; those below the first tick are drawn at it; `chosen` is the place of the strong one in
   * each; `unit` writes a value.
   */
  set shown(shown) {
    this.#shown = shown;
    this.#draw();
  }

  /** Moves to an epoch, counted from 0. */
  set at(epoch) {
    this.#at = epoch;
    this.#move();
  }

  #draw() {
    const width = this.#parent.clientWidth;
    if (!this.#shown || !width) return;
    const { curves, chosen, ticks, unit, words } = this.#shown;
    const height = this.#height;
    const [low, high] = [ticks[0], ticks.at(-1)];
    const x = epoch => LEFT + (width - LEFT - RIGHT) * epoch / (curves[0][0].length - 1);
    const y = value => TOP + (height - TOP - BOTTOM) * (high - Math.max(low, value)) / (high - low);
    const svg = make('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', class: 'chart', 'aria-label': words });
    for (const tick of ticks) {
      svg.append(make('path', { d: `M${LEFT} ${y(tick)}H${width - RIGHT}`, class: 'grid' }),
        make('text', { x: LEFT - 8, y: y(tick) + 4, class: 'tick left' }, unit(tick)));
    }
    for (const epoch of [0, (curves[0][0].length - 1)]) {
      svg.append(make('text', { x: x(epoch), y: height - 8, class: 'tick middle' }, `epoch ${epoch + 1}`));
    }
    const line = (values, names, more = {}) => {
      const points = values.flatMap((value, epoch) => value === null ? [] : [`${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`]);
      return make('path', { class: `line ${names}`, d: `M${points.join('L')}`, ...more });
    };
    const clip = make('rect', { x: 0, y: 0, width: 0, height });
    const id = `played-${this.#parent.id}`;
    svg.append(make('clipPath', { id }, clip));
    curves.forEach((seeds, method) => seeds.forEach(values => svg.append(line(values, `pale ${LINES[method]}`))));
    curves.forEach((seeds, method) => svg.append(line(seeds[chosen[method]], LINES[method], { 'clip-path': `url(#${id})` })));
    const head = make('path', { class: 'head' });
    const dots = LINES.map(name => make('circle', { r: 5.5, class: `dot ${name}` }));
    svg.append(head, ...dots, ...ends(curves, chosen, width - RIGHT, y, unit));
    this.#parent.replaceChildren(svg);
    this.#moving = { clip, head, dots, x, y, bottom: height - BOTTOM };
    this.#move();
  }

  #move() {
    if (!this.#moving) return;
    const { clip, head, dots, x, y, bottom } = this.#moving;
    const { curves, chosen } = this.#shown;
    clip.setAttribute('width', x(this.#at));
    head.setAttribute('d', `M${x(this.#at)} ${TOP}V${bottom}`);
    dots.forEach((dot, method) => {
      // Where nothing was measured, at the last measurement.
      const values = curves[method][chosen[method]];
      const epoch = values.findLastIndex((value, epoch) => value !== null && epoch <= this.#at);
      dot.setAttribute('cx', x(epoch));
      dot.setAttribute('cy', y(values[epoch]));
    });
  }
}

/** The last values of all seeds as marks at the right edge; those of the chosen one with their numbers. */
function ends(curves, chosen, right, y, unit) {
  const marks = curves.flatMap((seeds, method) => seeds.map((values, seed) =>
    make('circle', { cx: right + 8 + 8 * method, cy: y(values.at(-1)), r: seed === chosen[method] ? 4 : 2.5, class: `dot ${LINES[method]}` })));
  const labels = curves.map((seeds, method) => ({ method, value: seeds[chosen[method]].at(-1) })).sort((a, b) => b.value - a.value);
  let above = -Infinity;
  const texts = labels.map(({ method, value }) => {
    above = Math.max(y(value) + 4, above + 15);
    return make('text', { x: right + 23, y: above, class: `tick strong ${LINES[method]}` }, unit(value));
  });
  return [...marks, ...texts];
}
