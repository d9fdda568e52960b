/** Times, distances and amounts of money as the reader's language writes them. */
import { locale, t } from './languages.js';

const made = new Map(); // locale and options → formatter

/** Return a formatter of `Intl`, made once for each language. */
function formatter(Kind, options) {
  const key = `${Kind.name} ${locale()} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Kind(locale(), options));
  return made.get(key);
}

const CLOCK = { hour: '2-digit', minute: '2-digit' };
const DAY = { weekday: 'short', day: 'numeric', month: 'short', ...CLOCK };
const DAY_OF_YEAR = { day: 'numeric', month: 'short', year: 'numeric', ...CLOCK };

/** Return the time of day, with the date unless it is today, and the year unless it is the current one. */
export function moment(timestamp) {
  const date = new Date(timestamp);
  const now = new Date();
  const thisYear = date.getFullYear() === now.getFullYear() ? DAY : DAY_OF_YEAR;
  return formatter(Intl.DateTimeFormat, date.toDateString() === now.toDateString() ? CLOCK : thisYear).format(date);
}

/** Return how long ago something was: "41 seconds ago". */
export function ago(milliseconds) {
  const relative = formatter(Intl.RelativeTimeFormat, {});
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return relative.format(-seconds, 'second');
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? relative.format(-minutes, 'minute') : relative.format(-Math.round(minutes / 60), 'hour');
}

/** Hindi has no usual short units. */
const unitDisplay = () => (locale().startsWith('hi') ? 'long' : 'short');

/** Return metres as a length: "850 m", "1.4 km". */
export function length(metres) {
  const options = { style: 'unit', unitDisplay: unitDisplay() };
  if (metres < 950) return formatter(Intl.NumberFormat, { ...options, unit: 'meter', maximumFractionDigits: 0 }).format(metres);
  return formatter(Intl.NumberFormat, { ...options, unit: 'kilometer', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(metres / 1000);
}

/** Return metres from the site, to ten metres: "850 m away". */
export function distance(metres) {
  return metres < 30 ? t('booking.atSite') : t('booking.away', { distance: length(rounded(metres)) });
}

export const rounded = (metres) => (metres < 950 ? Math.round(metres / 10) * 10 : metres);

/** Return an amount: "₹1,23,456.50". `amount` is the text of a decimal number. */
export const rupees = (amount) => formatter(Intl.NumberFormat, { style: 'currency', currency: 'INR' }).format(amount);
