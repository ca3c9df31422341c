// The form of the settings: what it offers comes from the program, what it shows from the search.

import * as link from './link.js';
import { NONE } from './pairs.js';
import { MOST_THREADS } from './threads.js';

export class Form {
  #form;

  constructor(form) { this.#form = form; }

  /** Shows what an address names, also before it is known what else there is. */
  hold(state) {
    const { elements } = this.#form;
    for (const name of ['left', 'right', 'device', 'threads']) set(elements[name], state[name]);
    const space = state.settings['search.space'];
    if (space !== undefined) set(elements['search.space'], space);
  }

  /** Takes over what the program offers. */
  offer({ methods, spaces }, state) {
    const { elements } = this.#form;
    const own = names => names.map(name => ({ name, help: '' }));
    offer(elements.left, methods);
    offer(elements.right, [...methods, ...own([NONE])]);
    offer(elements['search.space'], spaces);
    offer(elements.device, own(link.DEVICES));
    offer(elements.threads, own(counts(MOST_THREADS)));
    elements.threads.closest('label').hidden = MOST_THREADS === 1;
    this.hold(state);
  }

  /** Shows the settings of a search. */
  fill(config, state) {
    this.hold(state);
    for (const input of this.#form.elements) {
      const [section, key] = (input.name ?? '').split('.');
      const value = key ? config[section]?.[key] : config[section];
      if (input.name && value !== undefined && !link.DEFAULTS[input.name]) set(input, value);
    }
  }

  /** The state with what is entered. */
  apply(state) {
    const next = { ...state, settings: { ...state.settings } };
    for (const [name, value] of new FormData(this.#form)) {
      if (name !== 'seed' && !name.includes('.')) next[name] = value;
      else if (value === '') delete next.settings[name];
      else next.settings[name] = Number.isFinite(Number(value)) ? Number(value) : value;
    }
    return next;
  }
}

/** Numbers of threads to choose from: each twice the one before, and the most. */
function counts(most) {
  const all = [];
  for (let count = 1; count < most; count *= 2) all.push(String(count));
  return [...all, String(most)];
}

/** Sets an input; a select that does not offer the value gets it. */
function set(input, value) {
  const known = input.options && [...input.options].some(option => option.value === String(value));
  if (input.options && !known) input.add(new Option(value, value));
  input.value = value;
}

/** Gives a select these options, in the place of those that it has; what is chosen stays chosen. */
function offer(select, rows) {
  const chosen = select.value;
  if (String([...select.options].map(option => option.value)) === String(rows.map(({ name }) => name))) return;
  select.replaceChildren(...rows.map(({ name, help }) => {
    const option = new Option(name, name);
    option.title = help;
    return option;
  }));
  if (rows.some(({ name }) => name === chosen)) select.value = chosen;
}
