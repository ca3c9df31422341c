// Two recorded landscapes side by side, on one scale: the validation accuracy of the trained mixture
// where α is moved, x along the gradient and y along a random direction. The pointer moves a point in both.

import { make } from './svg.js';

export class Landscapes {
  #maps = [];
  #at = [0, 0];
  #said;

  /** `rows` are {method, x, y, accuracy}; `titles` name the methods to show. */
  constructor(parent, rows, titles) {
    const shown = Object.keys(titles).map(method => rows.filter(row => row.method === method));
    const all = shown.flat().map(({ accuracy }) => accuracy);
    const range = [Math.min(...all), Math.max(...all)];
    Object.values(titles).forEach((title, index) => this.#maps.push(this.#map(parent, title, shown[index], range)));
    this.#said = Object.assign(document.createElement('p'), { className: 'quiet', id: 'story-landscape-said' });
    this.#said.setAttribute('aria-live', 'polite');
    parent.after(scale(range), this.#said);
    this.#move(this.#at);
  }

  #map(parent, title, rows, range) {
    const lines = [...new Set(rows.map(({ x }) => x))].sort((a, b) => a - b);
    const side = lines.length;
    this.#at = [(side - 1) / 2, (side - 1) / 2];
    const svg = make('svg', { viewBox: `0 0 ${side} ${side}`, class: 'landscape', tabindex: 0, role: 'application', 'aria-label': `Landscape of ${title}: the arrow keys move the point` });
    const values = new Map();
    for (const { x, y, accuracy } of rows) {
      const [column, row] = [lines.indexOf(x), side - 1 - lines.indexOf(y)];
      values.set(`${column} ${row}`, { x, y, accuracy });
      svg.append(make('rect', { x: column, y: row, width: 1.02, height: 1.02, fill: colour((accuracy - range[0]) / (range[1] - range[0])) }));
    }
    const mark = make('circle', { r: 0.55, class: 'mark' });
    svg.append(make('circle', { cx: side / 2, cy: side / 2, r: 0.25, class: 'middle' }), mark);
    svg.addEventListener('pointermove', event => this.#point(svg, event, side));
    svg.addEventListener('pointerdown', event => this.#point(svg, event, side));
    svg.addEventListener('keydown', event => this.#key(event, side));
    const figure = document.createElement('figure');
    figure.append(Object.assign(document.createElement('figcaption'), { textContent: title }), svg);
    parent.append(figure);
    return { title, mark, values };
  }

  #point(svg, event, side) {
    const box = svg.getBoundingClientRect();
    const place = (at, from, length) => Math.min(side - 1, Math.max(0, Math.floor(side * (at - from) / length)));
    this.#move([place(event.clientX, box.left, box.width), place(event.clientY, box.top, box.height)]);
  }

  #key(event, side) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#move(this.#at.map((value, axis) => Math.min(side - 1, Math.max(0, value + step[axis]))));
  }

  #move(at) {
    this.#at = at;
    const found = this.#maps.map(({ title, mark, values }) => {
      mark.setAttribute('cx', at[0] + 0.5);
      mark.setAttribute('cy', at[1] + 0.5);
      return { title, ...values.get(String(at.join(' '))) };
    });
    const [{ x, y }] = found;
    const where = Math.hypot(x, y) < 1e-9 ? 'Where the search ended' : `α moved by ${x.toFixed(1)} along the gradient and ${y.toFixed(1)} across`;
    this.#said.textContent = `${where}: ${found.map(({ title, accuracy }) => `${title} ${(100 * accuracy).toFixed(1)} %`).join(', ')}.`;
  }
}

/** From dark blue over green to yellow: lighter is more, for every eye. */
const STOPS = [[46, 30, 91], [42, 92, 141], [32, 146, 140], [110, 206, 88], [253, 231, 37]];

function colour(share) {
  const at = Math.min(0.9999, Math.max(0, share)) * (STOPS.length - 1);
  const [low, high] = [STOPS[Math.floor(at)], STOPS[Math.floor(at) + 1]];
  return `rgb(${low.map((value, index) => Math.round(value + (high[index] - value) * (at % 1))).join(' ')})`;
}

/** What the colours stand for. */
function scale([low, high]) {
  const percent = value => `${(100 * value).toFixed(0)} %`;
  const svg = make('svg', { viewBox: '0 0 320 34', class: 'scale', role: 'img', 'aria-label': `Colours from ${percent(low)}, dark, to ${percent(high)}, light` });
  for (let step = 0; step < 32; step++) svg.append(make('rect', { x: 60 + 6 * step, y: 8, width: 6.5, height: 14, fill: colour(step / 31) }));
  svg.append(make('text', { x: 54, y: 20, class: 'tick left' }, percent(low)), make('text', { x: 258, y: 20, class: 'tick' }, percent(high)));
  return svg;
}

/** The rows of a landscape.csv of the story. */
export function read(text) {
  const [head, ...lines] = text.trim().split('\n').map(line => line.split(','));
  return lines.map(line => Object.fromEntries(head.map((name, index) => [name, name === 'method' ? line[index] : Number(line[index])])));
}
