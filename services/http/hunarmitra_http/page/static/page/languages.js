/** The texts of the page in the reader's language. Each language has one catalogue, `languages/<code>.json`. */

/** The name of each language in that language, and the locale of its numbers, dates and units. */
export const LANGUAGES = { en: { name: 'English', locale: 'en-IN' }, hi: { name: 'हिन्दी', locale: 'hi-IN' } };

const KEPT_AS = 'hunarmitra.language';
const FALLBACK = 'en';

let texts;
let plurals;
let numbers;
/** The code of the language, for example `hi`. */
export let language;

/** The locale for `Intl`. */
export const locale = () => LANGUAGES[language].locale;

/** Return whether the catalogue has a text. */
export const has = (key) => Object.hasOwn(texts, key);

/**
 * Return a text. `{name}` in it is replaced by `values.name`; numbers get the language's digits and groups. A text with
 * plural forms is chosen by `values.count`. A text of several steps is a list.
 */
export function t(key, values = {}) {
  const text = chosen(key, values);
  return Array.isArray(text) ? text : parts(text, values).join('');
}

/** Return a text as a list of strings and elements: `values` may hold elements. */
export const rich = (key, values) => parts(chosen(key, values), values);

function chosen(key, { count }) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return typeof text === 'string' || Array.isArray(text) ? text : (text[plurals.select(count)] ?? text.other);
}

function parts(text, values) {
  return text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? shown(values[part]) : part));
}

const shown = (value) => (typeof value === 'number' ? numbers.format(value) : value);

/** Return the language that was chosen with the switch, else the first one that the browser asks for and we have. */
function preferred() {
  const wanted = [kept(), ...navigator.languages].map((tag) => tag?.toLowerCase().split('-')[0]);
  return wanted.find((code) => Object.hasOwn(LANGUAGES, code)) ?? FALLBACK;
}

function kept() {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null; // storage is switched off
  }
}

async function load(code) {
  const answer = await fetch(new URL(`languages/${code}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`languages/${code}.json: ${answer.status}`);
  texts = await answer.json();
  language = code;
  plurals = new Intl.PluralRules(locale());
  numbers = new Intl.NumberFormat(locale());
  document.documentElement.lang = code;
}

/** Use a language from now on, also after a reload and in new tabs. */
export async function use(code) {
  await load(code);
  try {
    localStorage.setItem(KEPT_AS, code);
  } catch {
    // It holds for this tab.
  }
}

await load(preferred());
