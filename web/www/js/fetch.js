// Files of the site. They are stored as gzip, as no file host can be trusted to pack them; one that
// unpacks them on the way is no harm.

/** The bytes of a file, unpacked if `unpack` says so and they are packed. */
export async function bytes(url, unpack = false) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} cannot be loaded (${answer.status})`);
  const content = new Uint8Array(await answer.arrayBuffer());
  const packed = content[0] === 0x1f && content[1] === 0x8b;
  if (!unpack || !packed) return content;
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
