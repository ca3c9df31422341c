// Figures come as SVG texts and tables as CSV; here they become elements.

/** Styles by their text. Style elements and attributes are forbidden by the page's policy. */
const styles = new Map();

function adopt(text) {
  if (styles.has(text)) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  styles.set(text, sheet);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

/** The smallest scale of a picture: its smallest letters, of 10 pixels, stay above 8. */
const READABLE = 0.85;

/** Pictures to draw by their element; only the latest of an element counts. */
const waiting = new Map();

/** Puts an SVG text into an element, soon: one picture a frame, so that no task grows long. */
export function draw(element, svg) {
  if (!waiting.size) requestAnimationFrame(drawNext);
  waiting.set(element, svg);
}

/** Empties an element, also of a picture that waits. */
export function erase(element) {
  waiting.delete(element);
  element.replaceChildren();
}

function drawNext() {
  const [next] = waiting;
  if (!next) return;
  const [element, svg] = next;
  waiting.delete(element);
  const plain = svg.replace(/<style>([^<]*)<\/style>/, (_, text) => {
    adopt(text);
    return '';
  });
  const picture = new DOMParser().parseFromString(plain, 'image/svg+xml').documentElement;
  const shown = document.importNode(picture, true);
  // A wide picture is not made smaller than its letters can be read: the element scrolls.
  const [, , width] = (shown.getAttribute('viewBox') ?? '0 0 0 0').split(' ').map(Number);
  shown.style.minWidth = `${Math.round(READABLE * width)}px`;
  if (READABLE * width > element.clientWidth) element.tabIndex = 0; // a keyboard scrolls it
  else element.removeAttribute('tabindex');
  element.replaceChildren(shown);
  if (waiting.size) requestAnimationFrame(drawNext);
}

const TABLE_ROWS = 200;

/** Puts a CSV text into an element as a table; of a long one the last rows. */
export function tabulate(element, csv, caption) {
  const [head, ...all] = csv.trim().split('\n').map(line => line.split(','));
  const rows = all.slice(-TABLE_ROWS);
  const table = document.createElement('table');
  table.createCaption().textContent =
    rows.length < all.length ? `${caption} (the last ${rows.length} of ${all.length} rows)` : caption;
  const header = table.createTHead().insertRow();
  for (const name of head) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    header.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const value of row) line.insertCell().textContent = short(value);
  }
  element.replaceChildren(table);
}

function short(value) {
  return /^-?\d+\.\d{5,}$/.test(value) ? Number(value).toPrecision(4) : value;
}
