/** Which bookings the list shows, and in which order. */

/** What needs the dispatcher first. */
const ORDER = ['requested', 'on_the_way', 'arrived', 'confirmed'];
/** Rows of one page. */
export const PER_PAGE = 50;

/** Return the entries with this status (all if empty) whose texts contain each word of the search, in the list's order. */
export function matching(entries, { status = '', search = '' } = {}) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = entries.filter((entry) => (!status || entry.status === status) && words.every((word) => entry.text.includes(word)));
  return wanted.sort(inOrder);
}

const rank = ({ status }) => (ORDER.includes(status) ? ORDER.indexOf(status) : ORDER.length);
const created = ({ details }) => details?.created_at ?? '';

/** Within a status, the customer who has waited longest comes first. */
function inOrder(one, other) {
  if (one.status !== other.status) return rank(one) - rank(other);
  const [a, b] = [created(one), created(other)];
  if (a !== b) return a < b ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}

/** Return `{rows, page, pages, from}` of a list: the page `wanted` or the last one; `from` counts from 0. */
export function pageOf(entries, wanted) {
  const pages = Math.max(1, Math.ceil(entries.length / PER_PAGE));
  const page = Math.min(Math.max(0, wanted), pages - 1);
  const from = page * PER_PAGE;
  return { rows: entries.slice(from, from + PER_PAGE), page, pages, from };
}

/** Return the number of the page with this booking, or -1. */
export function pageWith(entries, id) {
  const index = entries.findIndex((entry) => entry.id === id);
  return index < 0 ? -1 : Math.floor(index / PER_PAGE);
}
