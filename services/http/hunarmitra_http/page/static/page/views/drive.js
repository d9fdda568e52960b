/** The button that drives the demo's worker. */
import { announce, h, say } from '../dom.js';
import { t } from '../languages.js';
import { alone } from '../tabs.js';
import { FINAL } from '../words.js';

/** Resolve to the button, or null where this browser may not play the booking's worker. `lastSeen()`: the last location. */
export async function driveButton(app, booking, lastSeen) {
  const { demo } = app;
  if (!(await demo.drives(booking).catch(() => false))) return null;
  let shown = booking;
  let journey;
  let busy = false;
  let closed = false;
  const button = h('button', { type: 'button', class: 'primary', id: 'drive', onclick: () => (journey ? journey.stop() : void drive()) });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const element = h('div', { class: 'drive' }, button, h('p', { class: 'foot' }, t('drive.how')),
    h('p', { class: 'foot' }, h('a', { href: '#/sign-in', target: '_blank', rel: 'noopener' }, t('drive.other'))), problem);

  async function drive() {
    busy = true;
    problem.hidden = true;
    describe();
    try {
      if (FINAL.includes(shown.status)) {
        app.driveNext = await demo.again(shown);
        location.hash = `#/bookings/${app.driveNext}`;
        return;
      }
      await alone(`hunarmitra.drive.${shown.id}`, play, () => {
        throw new Error(t('drive.elsewhere'));
      });
    } catch (error) {
      if (error.status === 409) return; // somebody else changed the booking meanwhile
      problem.textContent = error.message;
      problem.hidden = false;
      announce(error.message);
    } finally {
      busy = false;
      journey = undefined;
      describe();
    }
  }

  async function play() {
    journey = await demo.journey(shown, lastSeen());
    busy = false;
    if (closed) return;
    describe();
    await journey.run();
  }

  function describe() {
    button.disabled = busy;
    say(button, t(journey ? 'drive.stop' : FINAL.includes(shown.status) ? 'drive.again' : 'drive.start'));
  }

  describe();
  if (app.driveNext === booking.id) {
    app.driveNext = undefined;
    void drive();
  }
  return {
    element,
    show(booking) {
      shown = booking;
      if (FINAL.includes(booking.status)) journey?.stop();
      describe();
    },
    close() {
      closed = true;
      journey?.stop();
    },
  };
}
