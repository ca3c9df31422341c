// Which epochs two searches that play side by side may be in: neither runs ahead of the other.

/** Tells the panels that play how far they may go; one that is over, or plays alone, goes on to its end. */
export function keepInStep(panels) {
  const playing = panels.filter(({ client }) => client.playing);
  for (const panel of playing) {
    const others = playing.filter(other => other !== panel);
    panel.client.allow(others.length ? Math.min(...others.map(({ client }) => client.epoch)) : null);
  }
}
