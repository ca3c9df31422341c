// Elements of SVG.

const NAMESPACE = 'http://www.w3.org/2000/svg';

/** Makes an element, with children if some are given. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
