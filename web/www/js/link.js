// Settings ↔ the part of the address behind #, so that a link repeats the run. Methods, spaces and
// settings are names of the program behind the page, which refuses the wrong ones.

import { PAIRS } from './pairs.js';

/** What an address may name besides `section.key` settings. */
const NAMES = ['preset', 'left', 'right', 'device', 'threads'];
export const DEVICES = ['auto', 'wgpu', 'cpu'];

const [left, right] = PAIRS.random;
/** What the playground begins with; native/repro/toy measured how these end. */
export const DEFAULTS = { preset: 'browser', left, right, device: 'auto', threads: '1', settings: { 'search.epochs': 20 } };

/** Whether an address names a run, rather than a place of the page or nothing. */
export const namesRun = hash => hash.includes('=');

/** Reads an address, one without a run as what the playground begins with; throws an error that says what is wrong with it. */
export function read(hash) {
  if (!namesRun(hash)) return { ...DEFAULTS, settings: { ...DEFAULTS.settings } };
  const state = { ...DEFAULTS, settings: {} };
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ''))) {
    if (NAMES.includes(name)) state[name] = value;
    else if (/^([a-z_]+\.)?[a-z_0-9]+$/.test(name)) state.settings[name] = number(value);
    else throw new Error(`The link has a setting that cannot be read: ${name}`);
  }
  if (!DEVICES.includes(state.device)) throw new Error(`The link names an unknown device: ${state.device}. There are: ${DEVICES.join(', ')}`);
  if (!/^[1-9]\d{0,2}$/.test(state.threads)) throw new Error(`The link names ${state.threads} threads: a number from 1`);
  return state;
}

/** The address of these settings. */
export function write(state) {
  const parameters = new URLSearchParams();
  for (const name of NAMES) {
    // One thread goes without saying, as it did before there was a choice: what is kept under an address stays there.
    if (name !== 'threads' || state.threads !== DEFAULTS.threads) parameters.set(name, state[name]);
  }
  for (const [name, value] of Object.entries(state.settings)) parameters.set(name, value);
  return `#${parameters}`;
}

/** The request of one of the two searches, as the worker takes it. */
export function request(state, method) {
  const settings = { search: { method } };
  for (const [name, value] of Object.entries(state.settings)) {
    const [section, key] = name.split('.');
    if (key === undefined) settings[section] = value;
    else settings[section] = { ...settings[section], [key]: value };
  }
  return JSON.stringify({ preset: state.preset, settings });
}

function number(text) {
  if (text === 'true' || text === 'false') return text === 'true';
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}
