// The recorded searches: native/repro/collapse/results/course.csv, as it is kept, a row for every epoch.

/** Operations of an edge in the order of their probabilities. */
export const OPERATIONS = ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3'];

/** The edges of a cell in that order: from node, to node. */
export const EDGES = [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]];

/** The operation on every edge that an architecture string keeps: |nor_conv_3x3~0|+|none~0|skip_connect~1|+… */
export const kept = architecture => [...architecture.matchAll(/\|?([a-z_0-9]+)~\d/g)].map(([, name]) => name);

export class Course {
  #runs = new Map();

  constructor(text) {
    const [head, ...lines] = text.trim().split('\n').map(line => line.split(','));
    for (const line of lines) {
      const row = Object.fromEntries(head.map((name, index) => [name, line[index]]));
      const key = `${row.method} ${row.seed}`;
      if (!this.#runs.has(key)) this.#runs.set(key, []);
      this.#runs.get(key).push(epoch(row));
    }
    this.methods = [...new Set([...this.#runs.keys()].map(key => key.split(' ')[0]))];
  }

  /** The seeds that a method was run with. */
  seeds(method) {
    const names = [...this.#runs.keys()].map(key => key.split(' '));
    return names.filter(([name]) => name === method).map(([, seed]) => Number(seed)).sort((a, b) => a - b);
  }

  /** The epochs of a run, in their order. */
  run(method, seed) { return this.#runs.get(`${method} ${seed}`); }

  /** How many epochs every run has. */
  get epochs() { return Math.min(...[...this.#runs.values()].map(run => run.length)); }
}

function epoch(row) {
  const shares = row.probabilities_permille.split(' ').map(Number);
  const architecture = kept(row.architecture);
  return {
    accuracy: Number(row.test_accuracy_percent),
    rank: Number(row.rank),
    supernet: 100 * Number(row.valid_accuracy),
    epsilon: Number(row.epsilon),
    norm: row.spectral_norm === '' ? null : Number(row.spectral_norm),
    kept: architecture,
    skips: architecture.filter(name => name === 'skip_connect').length,
    p: EDGES.map((_, edge) => OPERATIONS.map((_, index) => shares[edge * OPERATIONS.length + index] / 1000)),
  };
}

/** p with a perturbation of at most ε in every entry, as SDARTS-RS draws it: clipped, each row a distribution again. */
export function shaken(p, epsilon, random = Math.random) {
  return p.map(row => {
    const moved = row.map(share => Math.max(0, share + epsilon * (2 * random() - 1)));
    const sum = moved.reduce((total, share) => total + share, 0);
    return moved.map(share => share / sum);
  });
}
