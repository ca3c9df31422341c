// The recorded run: plays at once, while the search itself is loading.

import { bytes } from './fetch.js';

/** Time between two frames, in ms. */
const FRAME = 250;

/** Plays into the panels until `until` says so. Under reduced motion only the last frame shows. */
export async function play(panels, until) {
  const text = new TextDecoder().decode(await bytes(new URL('../recorded.json.gz', import.meta.url), true));
  const { figures, tracks } = JSON.parse(text);
  if (until()) return;
  for (const panel of panels) panel.figures = figures;
  const length = Math.max(...tracks.map(track => track.length));
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  for (let frame = still ? length - 1 : 0; frame < length && !until(); frame++) {
    panels.forEach((panel, index) => {
      const track = tracks[index];
      if (panel.visible && track?.[frame]) panel.show(track[frame]);
    });
    await new Promise(done => setTimeout(done, FRAME));
  }
}
