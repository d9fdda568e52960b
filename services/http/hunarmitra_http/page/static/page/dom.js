/** Elements in one expression, and words for people who listen. No HTML is ever made from text. */

const MOST_NEWS = 5;

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

/** Leaves the element alone when it says so already: a live region speaks at every change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** To screen readers, one after the other, without disturbing what they are reading. */
export function announce(text) {
  const news = document.getElementById('announcements');
  news.append(h('p', {}, text));
  if (news.childElementCount > MOST_NEWS) news.firstElementChild.remove();
}

const shown = (children) => children.flat().filter((child) => child !== null && child !== undefined && child !== false);
