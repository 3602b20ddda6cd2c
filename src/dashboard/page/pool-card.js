/** A pool as a card: its state, its figures, its connections and its lines. */
import { ageText, Cells, setAttribute, setText, STATE_TEXTS } from './cells.js';
import { Chart, COUNTS, millisecondsText, WAITS } from './charts.js';

const TEN_MINUTES = 600_000;

const FIGURES = [
  { label: 'Open', text: ({ open, min, max }) => (min === max ? `${open} / ${max}` : `${open} / ${min}–${max}`) },
  { label: 'Leased', text: ({ leased }) => leased },
  { label: 'Idle', text: ({ idle }) => idle },
  { label: 'Waiting', text: ({ waiting }) => waiting, mood: ({ waiting }) => (waiting > 0 ? 'warn' : '') },
  { label: 'Leases/s', text: ({ rate }) => rate },
  { label: 'Lost', text: ({ lost }) => lost },
  { label: 'Renewed', text: ({ replaced }) => replaced },
  { label: 'Connects failed', text: ({ connectFailures }) => connectFailures },
  {
    label: 'Timed out',
    text: ({ acquireTimeouts }) => acquireTimeouts,
    mood: ({ acquireTimeouts }) => (acquireTimeouts > 0 ? 'bad' : ''),
  },
];

/** Milliseconds: who waits for less does not notice. */
const BUSY = 100;

const LINES = ['leased', 'idle', 'waiting', 'p50', 'p99'];

export class PoolCard {
  constructor(name, theme) {
    this.name = name;
    this.element = document.getElementById('pool').content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    setText(find('.name'), name);
    this.stateElement = find('.state');
    this.errorElement = find('.error');
    this.values = this.fillFigures(find('.figures'));
    this.cells = new Cells(find('.cells'), find('.detail'), theme);
    find('.cells').setAttribute('aria-label', `Connections of ${name}, by cell`);
    find('.scroll').setAttribute('aria-label', `Table of the connections of ${name}`);
    this.outages = [];
    this.charts = [COUNTS, WAITS].map((kind, index) => {
      const figure = this.element.querySelectorAll('figure')[index];
      return new Chart(figure, kind, theme, this.outages);
    });
    this.table = find('.table');
    this.rows = find('tbody');
    this.table.addEventListener('toggle', () => this.drawTable());
    this.lines = Object.fromEntries(LINES.map((key) => [key, []]));
    this.visible = true;
  }

  /** Everything anew, but for the outages that are known already. */
  restart({ figures, history, slots, changes }, freshHappenings, now) {
    this.cells.reset();
    for (const key of LINES) this.lines[key] = history[key];
    for (const { subject, kind, at } of freshHappenings) {
      if (subject !== this.name) continue;
      if (kind === 'down' && !this.isInOutage) this.outages.push([at / 1_000, undefined]);
      if (kind === 'back' && this.isInOutage) this.outages.at(-1)[1] = at / 1_000;
    }
    this.takeIn(figures, slots, changes, now);
  }

  /** What has changed. */
  advance({ figures, point, slots, changes }, now) {
    for (const key of LINES) this.lines[key].push(point[key]);
    this.takeIn(figures, slots, changes, now);
  }

  /** The oldest points are no longer to be seen. */
  forget(points) {
    for (const key of LINES) this.lines[key].splice(0, points);
  }

  get isInOutage() {
    const last = this.outages.at(-1);
    return last !== undefined && last[1] === undefined;
  }

  takeIn(figures, slots, changes, now) {
    this.figures = figures;
    this.now = now;
    this.cells.apply(slots, changes, now);
    if (figures.down !== null && !this.isInOutage) this.outages.push([figures.down.since / 1_000, undefined]);
    if (figures.down === null && this.isInOutage) this.outages.at(-1)[1] = now / 1_000;
    while (this.outages[0]?.[1] < (now - TEN_MINUTES) / 1_000) this.outages.shift();
  }

  /** @param times those of the points, in seconds */
  draw(times) {
    this.drawHead();
    // What is read, a screen reader may be reading anywhere on the page; pictures are seen or not.
    if (!this.visible) return;
    this.cells.draw();
    for (const chart of this.charts) {
      chart.draw([times, ...chart.kind.keys.map((key) => this.lines[key])], this.now / 1_000);
    }
    this.drawTable();
  }

  repaint() {
    this.cells.redrawAll = true;
    for (const chart of this.charts) chart.repaint();
  }

  fillFigures(list) {
    return FIGURES.map(({ label }) => {
      const group = document.createElement('div');
      const term = document.createElement('dt');
      const value = document.createElement('dd');
      term.textContent = label;
      group.append(term, value);
      list.append(group);
      return value;
    });
  }

  drawHead() {
    const { figures } = this;
    for (const [index, { text, mood }] of FIGURES.entries()) {
      setText(this.values[index], text(figures).toLocaleString('en'));
      setAttribute(this.values[index], 'class', mood?.(figures) ?? '');
    }
    const { state, text } = stateOf(figures, this.now);
    setText(this.stateElement, text);
    setAttribute(this.stateElement, 'class', `state ${state}`);
    this.errorElement.hidden = figures.down === null;
    setText(this.errorElement, figures.down?.error ?? '');
  }

  drawTable() {
    if (!this.table.open) return;
    const { cells, rows } = this;
    while (rows.children.length > cells.length) rows.lastElementChild.remove();
    while (rows.children.length < cells.length) {
      const row = rows.insertRow();
      for (let cell = 0; cell < 4; cell++) row.insertCell();
    }
    for (let slot = 0; slot < cells.length; slot++) {
      const { cells: columns } = rows.rows[slot];
      const code = cells.codes[slot];
      const isOpen = code >= 2;
      setText(columns[0], String(slot + 1));
      setText(columns[1], STATE_TEXTS[code]);
      setText(columns[2], isOpen ? ageText(cells.ageOf(slot)) : '');
      setText(columns[3], isOpen ? String(cells.uses[slot]) : '');
    }
  }
}

/** How a pool is, in a word or two. */
function stateOf({ down, open, waiting, longestWait }, now) {
  const isBusy = waiting > 0 && longestWait >= BUSY;
  const wait = millisecondsText(longestWait);
  // On a phone the line breaks before it, and not in it.
  const queue = `${waiting.toLocaleString('en')} waiting, the first for ${wait}`.replaceAll(' ', '\u00a0');
  if (down !== null) {
    const since = ageText(Math.max(0, now - down.since));
    const trouble = open === 0 ? 'down' : 'cannot connect';
    return { state: 'down', text: `✕ ${trouble} for ${since}${isBusy ? ` · ${queue}` : ''}` };
  }
  if (isBusy) return { state: 'busy', text: `▲ ${queue}` };
  return { state: '', text: '✓ up' };
}
