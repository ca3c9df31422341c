// How many threads a search can have on the CPU.

import { THREADS } from '../pkg/built.js';

/** More than one if the page was built with them, and its host keeps other sites away from it. */
export const MOST_THREADS = THREADS && crossOriginIsolated ? navigator.hardwareConcurrency : 1;
