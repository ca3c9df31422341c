// What a visitor drops or chooses: the events of a run, or a folder of images by class.

import { byClass, isImage } from './images.js';

/** What to say of files that are neither, by how they are called. */
const WRONG = [
  [/\.safetensors$/i, 'is a checkpoint. The page shows events.jsonl, which lies in the same run directory'],
  [/genotype\.json$/i, 'is a genotype. The page shows events.jsonl, which lies in the same run directory'],
  [/\.(zip|tar|t?gz|7z|rar)$/i, 'is an archive. Unpack it, and drop the folder'],
  [/\.(csv|json|toml|html)$/i, 'is not the stream of events of a search: drop the file events.jsonl of its run directory'],
];

/** {events: file}, or {images: {labelled, classes}}; files are {name, path, file}. Says what is wrong otherwise. */
export function understand(files) {
  if (!files.length) throw new Error('That was empty: there is no file in it');
  const events = files.find(({ name }) => name.endsWith('.jsonl'));
  if (events) return { events };
  if (files.some(({ name }) => isImage(name))) return { images: byClass(files) };
  for (const { name } of files) {
    const wrong = WRONG.find(([pattern]) => pattern.test(name));
    if (wrong) throw new Error(`${name} ${wrong[1]}`);
  }
  const what = files.length === 1 ? `${files[0].name} is` : `These ${files.length} files are`;
  throw new Error(`${what} neither events.jsonl nor images that a browser reads (PNG, JPEG, WebP, GIF, BMP)`);
}

/** The files of dropped entries, also those in folders. */
export async function walk(entries) {
  return (await Promise.all(entries.map(one))).flat();
}

async function one(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ name: file.name, path: entry.fullPath, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...await walk(some));
  }
}

/** Files of a dialog in the same form. */
export const chosen = files => files.map(file => ({ name: file.name, path: file.webkitRelativePath || file.name, file }));
