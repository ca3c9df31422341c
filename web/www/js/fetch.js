// Files of the site. They are stored as gzip, as no file host can be trusted to pack them; one that
// unpacks them on the way is no harm.

/** The bytes of a file, unpacked if `unpack` says so and they are packed; tells `progress(received, total)`. */
export async function bytes(url, unpack = false, progress = null) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} cannot be loaded (${answer.status})`);
  const content = progress ? await counted(answer, progress) : new Uint8Array(await answer.arrayBuffer());
  return unpack ? new Uint8Array(await new Response(unpacked(content)).arrayBuffer()) : content;
}

/** A stream of the content of a file that may be packed. */
export function unpacked(content) {
  const packed = content[0] === 0x1f && content[1] === 0x8b;
  const stream = new Blob([content]).stream();
  return packed ? stream.pipeThrough(new DecompressionStream('gzip')) : stream;
}

async function counted(answer, progress) {
  const total = Number(answer.headers.get('Content-Length'));
  const parts = [];
  let received = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    progress(received, received <= total ? total : 0);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
