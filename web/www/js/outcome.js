// How a search of the playground ended, beside how others ended at the same settings: measured by
// native/repro/toy, which the page gets as toy.csv.

import { bytes } from './fetch.js';
import { DEFAULTS } from './link.js';
import { make } from './story/svg.js';

const KEPT = new URL('../story/toy.csv.gz', import.meta.url);
/** Sixteen dots of one share above one another have room. */
const SIZE = [360, 118];
const BASE = 100;
const [LEFT, RIGHT] = [20, 336];

let asked = null;

/** method → the shares of operations without weights that its seeds ended with. */
function others() {
  asked ??= bytes(KEPT, true).then(content => {
    const [, ...lines] = new TextDecoder().decode(content).trim().split('\n').map(line => line.split(','));
    return Map.groupBy(lines.map(([method, , share]) => ({ method, share: Number(share) })), ({ method }) => method);
  });
  return asked;
}

/** Whether the settings are those that were measured, but for the seed. */
const isMeasured = ({ preset, settings: { seed, ...settings } }) =>
  preset === DEFAULTS.preset && JSON.stringify(settings) === JSON.stringify(DEFAULTS.settings);

/** Puts into an element how a search stands beside others; nothing where none were measured. */
export async function show(element, state, { method, title, parameter_free: own, finished }) {
  const rows = finished && isMeasured(state) ? (await others()).get(method) : null;
  element.hidden = !rows;
  if (!rows) return;
  const shares = rows.map(({ share }) => share).sort((a, b) => a - b);
  const percent = share => `${Math.round(100 * share)} %`;
  const below = shares.filter(share => share < own).length;
  const same = shares.filter(share => Math.abs(share - own) < 1e-4).length;
  const text = `${title} ended with ${percent(own)} of its operations without weights. Of ${shares.length} measured seeds ${below} ended with fewer, ${same} with as many, ${shares.length - below - same} with more.`;
  const said = document.createElement('p');
  said.textContent = text;
  element.replaceChildren(said, strip(shares, own, text));
}

/** A dot for every seed, those of equal shares above one another; the own run is a ring. */
function strip(shares, own, words) {
  const x = share => LEFT + (RIGHT - LEFT) * share;
  const svg = make('svg', { viewBox: `0 0 ${SIZE.join(' ')}`, class: 'strip', role: 'img', 'aria-label': words });
  svg.append(make('path', { d: `M${LEFT} ${BASE}H${RIGHT}`, class: 'grid' }));
  for (const share of [0, 0.5, 1]) svg.append(make('text', { x: x(share), y: BASE + 15, class: 'tick middle' }, `${100 * share} %`));
  const piled = new Map();
  for (const share of shares) {
    const height = piled.get(share) ?? 0;
    piled.set(share, height + 1);
    svg.append(make('circle', { cx: x(share), cy: BASE - 5 - 6 * height, r: 2.7, class: 'other' }));
  }
  svg.append(make('circle', { cx: x(own), cy: BASE, r: 6, class: 'own' }));
  return svg;
}
