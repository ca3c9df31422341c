// A worker that computes for the worker of a search, in the same memory (src/threads.rs). It says when it is about to wait, and
// never takes a message again. What ends it is told to the page: the search may be waiting for it, and tells nothing.

import init, { lendThread } from '../pkg/threads/smoothdarts.js';

onmessage = async ({ data: { module, memory, port } }) => {
  self.smoothdartsPanicked = message => port.postMessage(`The search crashed: ${message}`);
  try {
    await init({ module_or_path: module, memory });
    postMessage('ready');
    lendThread();
  } catch (error) {
    port.postMessage(`A thread of the search ended: ${error.message ?? error}`);
  }
};
