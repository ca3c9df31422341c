// The comparisons that the page tells its story with: the methods of the left and of the right
// search. They are names of the catalogue, which the program behind the page checks.

/** No search. */
export const NONE = 'none';

export const PAIRS = {
  collapse: ['darts', NONE],
  random: ['darts', 'sdarts-rs'],
  adversarial: ['darts', 'sdarts-adv'],
};
