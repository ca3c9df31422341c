// Two recorded landscapes side by side, on one scale: the validation accuracy of the trained mixture
// where α is moved, x along the gradient and y along a random direction. The pointer moves a point in both.

import { make } from './svg.js';

/** From dark blue over green to yellow: lighter is more, for every eye. */
const STOPS = [[46, 30, 91], [42, 92, 141], [32, 146, 140], [110, 206, 88], [253, 231, 37]];

const percent = value => `${(100 * value).toFixed(1)} %`;

export class Landscapes {
  #rows;
  #maps;
  #side;
  #at;

  /** The text of landscape.csv; pictures go into `parent`, the scale into `scale`, words into `said`. */
  constructor(text, { parent, scale, said }) {
    const [head, ...lines] = text.trim().split('\n').map(line => line.split(','));
    this.#rows = lines.map(line => Object.fromEntries(head.map((name, index) => [name, name === 'method' ? line[index] : Number(line[index])])));
    Object.assign(this, { parent, scale, said });
  }

  /** Shows a seed of the methods that `titles` names, in their order. */
  show(seed, titles) {
    const shown = Object.keys(titles).map(method => this.#rows.filter(row => row.method === method && row.seed === seed));
    const all = shown.flat().map(({ accuracy }) => accuracy);
    const range = [Math.min(...all), Math.max(...all)];
    this.#side = Math.sqrt(shown[0].length);
    this.#maps = Object.values(titles).map((title, index) => this.#map(title, shown[index], range));
    this.parent.replaceChildren(...this.#maps.map(({ figure }) => figure));
    this.scale.replaceChildren(legend(range));
    this.#move(Array(2).fill((this.#side - 1) / 2));
  }

  #map(title, rows, range) {
    const side = this.#side;
    const lines = [...new Set(rows.map(({ x }) => x))].sort((a, b) => a - b);
    const svg = make('svg', { viewBox: `0 0 ${side} ${side}`, class: 'landscape', tabindex: 0, role: 'application', 'aria-label': `Landscape of ${title}: the arrow keys move the point` });
    const values = new Map();
    for (const { x, y, accuracy } of rows) {
      const [column, row] = [lines.indexOf(x), side - 1 - lines.indexOf(y)];
      values.set(`${column} ${row}`, { x, y, accuracy });
      svg.append(make('rect', { x: column, y: row, width: 1.02, height: 1.02, fill: colour((accuracy - range[0]) / (range[1] - range[0])) }));
    }
    const mark = make('circle', { r: 0.45, class: 'mark' });
    svg.append(make('circle', { cx: side / 2, cy: side / 2, r: 0.2, class: 'middle' }), mark);
    for (const kind of ['pointermove', 'pointerdown']) svg.addEventListener(kind, event => this.#point(svg, event));
    svg.addEventListener('keydown', event => this.#key(event));
    const figure = document.createElement('figure');
    const value = document.createElement('strong');
    const caption = document.createElement('figcaption');
    caption.append(`${title}: `, value);
    figure.append(caption, svg);
    return { title, figure, mark, value, values };
  }

  #inside(place) { return Math.min(this.#side - 1, Math.max(0, place)); }

  #point(svg, { clientX, clientY }) {
    const box = svg.getBoundingClientRect();
    const place = share => this.#inside(Math.floor(this.#side * share));
    this.#move([place((clientX - box.left) / box.width), place((clientY - box.top) / box.height)]);
  }

  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#move(this.#at.map((place, axis) => this.#inside(place + step[axis])));
  }

  #move(at) {
    this.#at = at;
    const found = this.#maps.map(({ title, mark, value, values }) => {
      mark.setAttribute('cx', at[0] + 0.5);
      mark.setAttribute('cy', at[1] + 0.5);
      const here = values.get(at.join(' '));
      value.textContent = percent(here.accuracy);
      return { title, ...here };
    });
    const [{ x, y }] = found;
    const where = Math.hypot(x, y) < 1e-9 ? 'Where the searches ended' : `Moved by ${x.toFixed(1)} along the gradient and ${y.toFixed(1)} across`;
    this.said.textContent = `${where}: ${found.map(({ title, accuracy }) => `${title} ${percent(accuracy)}`).join(', ')}.`;
  }
}

function colour(share) {
  const at = Math.min(0.9999, Math.max(0, share)) * (STOPS.length - 1);
  const [low, high] = [STOPS[Math.floor(at)], STOPS[Math.floor(at) + 1]];
  return `rgb(${low.map((value, index) => Math.round(value + (high[index] - value) * (at % 1))).join(' ')})`;
}

/** What the colours stand for. */
function legend([low, high]) {
  const svg = make('svg', { viewBox: '0 0 320 30', class: 'scale', role: 'img', 'aria-label': `Colours from ${percent(low)}, dark, to ${percent(high)}, light` });
  for (let step = 0; step < 32; step++) svg.append(make('rect', { x: 60 + 6 * step, y: 8, width: 6.5, height: 14, fill: colour(step / 31) }));
  svg.append(make('text', { x: 54, y: 20, class: 'tick left' }, percent(low)), make('text', { x: 258, y: 20, class: 'tick' }, percent(high)));
  return svg;
}
