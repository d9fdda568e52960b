/** Create elements, and announce text to screen readers. Text is never parsed as HTML. */

const MOST_ANNOUNCEMENTS = 5;

/** `h('a', { class: 'x', href: '#', onclick }, 'text', child)`. `null`, `false` and `undefined` are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...shown(children));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

/** Set the text if it differs: a live region speaks at every change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Announce text to screen readers, without an interruption. */
export function announce(text) {
  const log = document.getElementById('announcements');
  log.append(h('p', {}, text));
  if (log.childElementCount > MOST_ANNOUNCEMENTS) log.firstElementChild.remove();
}

const shown = (children) => children.flat().filter((child) => child !== null && child !== undefined && child !== false);
