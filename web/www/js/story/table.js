// All runs in numbers.

const TITLES = { darts: 'DARTS', 'sdarts-rs': 'SDARTS-RS', 'sdarts-adv': 'SDARTS-ADV' };
const HEAD = ['Search', 'Seed', 'Best on the way', 'At the end', 'Skip connections', 'Hessian norm'];

/** Puts the course's runs into an element as a table, a row for each. */
export function tabulate(element, course) {
  const table = document.createElement('table');
  table.createCaption().textContent = `True test accuracy of the cell that would be kept, after ${course.epochs} epochs`;
  const head = table.createTHead().insertRow();
  for (const name of HEAD) head.append(Object.assign(document.createElement('th'), { scope: 'col', textContent: name }));
  const body = table.createTBody();
  for (const method of course.methods) {
    for (const seed of course.seeds(method)) {
      const run = course.run(method, seed);
      const end = run.at(-1);
      const best = Math.max(...run.map(({ accuracy }) => accuracy));
      const row = body.insertRow();
      row.dataset.run = `${method} ${seed}`;
      const cells = [TITLES[method], seed, `${best.toFixed(2)} %`, `${end.accuracy.toFixed(2)} %`, `${end.skips} of ${end.kept.length}`, end.norm.toFixed(3)];
      for (const text of cells) row.insertCell().textContent = text;
    }
  }
  element.replaceChildren(table);
}
