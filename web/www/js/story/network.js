// The cell as a small network: an image goes in, a class comes out. Every edge is a bundle of its
// candidate operations, as wide as their shares; what would be kept now is strong.

import { EDGES, OPERATIONS } from './course.js';
import { make } from './svg.js';

const SIZE = [560, 250];
/** Where the four nodes stand, and how far the edges between others than neighbours bend. */
const NODES = [148, 246, 344, 442];
const MIDDLE = 142;
const BENDS = { '0-2': -74, '0-3': -132, '1-3': 84 };
/** Width of all operations of an edge together. */
const BUNDLE = 26;
const SAMPLES = 20;

/** A ship of eight by eight pixels: w is water, h hull, s sail, m mast; the rest is sky. */
const SHIP = ['....m...', '...sm...', '..ssmss.', '.sssmss.', '....m...', 'hhhhhhhh', '.hhhhhh.', 'wwwwwwww'];

export class Network {
  #strands;

  constructor(parent) {
    this.svg = make('svg', { viewBox: `0 0 ${SIZE.join(' ')}`, role: 'img', class: 'network' });
    const edges = make('g');
    this.#strands = EDGES.map(() => OPERATIONS.map(name => {
      const strand = make('path', { class: `strand op-${name}` });
      edges.append(strand);
      return strand;
    }));
    this.svg.append(...image(), arrow(92, 130), edges, ...NODES.map(node), arrow(460, 492), ...answer());
    parent.append(this.svg);
  }

  /** Shows shares p and the operations that would be kept, in words too. */
  show(p, kept, words) {
    EDGES.forEach((edge, index) => this.#edge(edge, p[index], kept[index], this.#strands[index]));
    if (words) this.svg.setAttribute('aria-label', words);
  }

  #edge(edge, shares, kept, strands) {
    let at = -BUNDLE / 2;
    OPERATIONS.forEach((name, index) => {
      const width = BUNDLE * shares[index];
      strands[index].setAttribute('d', path(edge, at + width / 2));
      strands[index].setAttribute('stroke-width', width.toFixed(2));
      strands[index].classList.toggle('kept', name === kept);
      at += width;
    });
  }
}

/** The curve of an edge, moved to its side by an offset. */
function path([from, to], offset) {
  const bend = BENDS[`${from}-${to}`] ?? 0;
  const [x0, x1] = [NODES[from], NODES[to]];
  const points = [];
  for (let sample = 0; sample <= SAMPLES; sample++) {
    const t = sample / SAMPLES;
    // Half an ellipse, or a line where it does not bend; (nx, ny) is its normal.
    const angle = Math.PI * t;
    const x = bend ? (x0 + x1) / 2 - (x1 - x0) / 2 * Math.cos(angle) : x0 + (x1 - x0) * t;
    const y = MIDDLE + bend * Math.sin(angle);
    const [dx, dy] = bend ? [(x1 - x0) / 2 * Math.sin(angle), bend * Math.cos(angle)] : [1, 0];
    const length = Math.hypot(dx, dy);
    points.push(`${(x - offset * dy / length).toFixed(1)} ${(y + offset * dx / length).toFixed(1)}`);
    if (!bend && sample === 0) sample = SAMPLES - 1;
  }
  return `M${points.join('L')}`;
}

function node(x) {
  return make('circle', { cx: x, cy: MIDDLE, r: 17, class: 'node' });
}

function image() {
  const pixels = SHIP.flatMap((row, y) => [...row].map((kind, x) =>
    make('rect', { x: 14 + 9 * x, y: MIDDLE - 36 + 9 * y, width: 9, height: 9, class: `pixel-${kind === '.' ? 'sky' : kind}` })));
  return [...pixels, make('text', { x: 50, y: MIDDLE + 60, class: 'end' }, 'image')];
}

function answer() {
  return [
    make('rect', { x: 496, y: MIDDLE - 18, width: 60, height: 36, rx: 8, class: 'answer' }),
    make('text', { x: 526, y: MIDDLE + 5, class: 'end strong' }, 'ship'),
    make('text', { x: 526, y: MIDDLE + 60, class: 'end' }, 'class'),
  ];
}

function arrow(from, to) {
  return make('path', { d: `M${from} ${MIDDLE}H${to}m-8 -6l8 6l-8 6`, class: 'arrow' });
}
