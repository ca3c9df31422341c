// A folder of the user's images, by class. They are decoded here and go nowhere else.

const IMAGE = /\.(png|jpe?g|webp|gif|bmp)$/i;
const MAX_CLASSES = 10;
const MAX_IMAGES = 5000;

export const isImage = name => IMAGE.test(name);

/** The image files of a list with their classes: the names of the folders that they lie in. */
export function byClass(files) {
  const found = files.filter(({ path }) => IMAGE.test(path));
  const name = path => path.split('/').at(-2);
  const classes = [...new Set(found.map(({ path }) => name(path) ?? ''))].sort();
  if (classes.length < 2) {
    const where = classes[0] ? `all of one class, ${classes[0]}` : 'of no class';
    throw new Error(`The ${found.length === 1 ? 'image is' : `${found.length} images are`} ${where}: give a folder that holds a folder of images for every class, at least two.`);
  }
  if (classes.length > MAX_CLASSES) throw new Error(`There are ${classes.length} classes; the page takes up to ${MAX_CLASSES}.`);
  const labelled = found.slice(0, MAX_IMAGES).map(({ path, file }) => ({ path, file, label: classes.indexOf(name(path)) }));
  return { labelled: spread(labelled, classes.length), classes };
}

/** Classes in turn, as a search takes the first images for w and the rest for α. */
function spread(labelled, classes) {
  const queues = Array.from({ length: classes }, (_, label) => labelled.filter(image => image.label === label));
  const places = queues.flatMap(queue => queue.map((image, index) => ({ image, place: (index + 0.5) / queue.length })));
  return places.sort((a, b) => a.place - b.place).map(({ image }) => image);
}

/** RGB pixels of all images, the largest middle square of each at size×size. */
export async function decode({ labelled, classes }, size) {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const pixels = new Uint8Array(labelled.length * size * size * 3);
  let at = 0;
  for (const { file, path } of labelled) {
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      throw new Error(`${path} is no image that this browser can read. Remove it from the folder.`);
    }
    const edge = Math.min(image.width, image.height);
    context.drawImage(image, (image.width - edge) / 2, (image.height - edge) / 2, edge, edge, 0, 0, size, size);
    image.close();
    const { data } = context.getImageData(0, 0, size, size);
    for (let i = 0; i < data.length; i += 4) {
      pixels[at++] = data[i];
      pixels[at++] = data[i + 1];
      pixels[at++] = data[i + 2];
    }
  }
  return { pixels, labels: Uint16Array.from(labelled, image => image.label), classes };
}
