/** Follows the server's stream, and draws what it tells. */
import { drawCell, setAttribute, setText, STATES, STATE_TEXTS } from './cells.js';
import { Happenings } from './happenings.js';
import { PoolCard } from './pool-card.js';

const TEN_MINUTES = 600_000;

/** Before the stream is asked for again, in milliseconds. */
const PAUSE = 2_000;

/** Answers of guards; 0 stands for being sent elsewhere, as to a page where one logs in. */
const REFUSALS = new Set([0, 401, 403]);

/** Of so many drawings it is kept how long they took, at most. */
const MEASURED = 500;

const find = (id) => document.getElementById(id);

const theme = { cells: [], lines: {} };
const cards = new Map();
const happenings = new Happenings(find('happenings'), find('calm'), find('news'));

/** Since when the pools have been looked at. Whoever has seen the same beginning has missed little, or nothing. */
let since;

/** Of the points, in milliseconds and in seconds. */
let times = [];
let seconds = [];
const TITLE = document.title;

let measured = 0;
let paused = false;
let scheduled = false;

/** Draws once for whatever has come since the last time, and only while somebody can see it. */
function schedule() {
  if (scheduled || paused) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (!paused) draw();
  });
}

function draw() {
  performance.mark('draw');
  for (const card of cards.values()) card.draw(seconds);
  happenings.draw();
  // Before the first snapshot nobody knows what there is.
  if (since !== undefined) summarize();
  measure();
}

/** How long it took, for who looks into it. A browser would keep all that was measured while the page is open, be it for days. */
function measure() {
  if (measured++ % MEASURED === 0) performance.clearMeasures('frame');
  performance.measure('frame', 'draw');
  performance.clearMarks('draw');
}

function summarize() {
  const connections = [...cards.values()].reduce((sum, { figures }) => sum + figures.open, 0);
  const down = [...cards].filter(([, { figures }]) => figures.down !== null).map(([name]) => name);
  // At the top and in the tab, for the card of a pool that is down may be far below.
  const names = down.length === 0 ? '' : ` · down: ${down.join(', ')}`;
  setText(find('summary'), `${count(cards.size, 'pool')}, ${count(connections, 'open connection')}${names}`);
  find('summary').className = down.length === 0 ? 'quiet' : 'trouble';
  document.title = down.length === 0 ? TITLE : `${down.length} down · ${TITLE}`;
  find('empty').hidden = cards.size > 0;
}

function count(many, what) {
  return `${many.toLocaleString('en')} ${what}${many === 1 ? '' : 's'}`;
}

const visibility = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    for (const card of cards.values()) if (card.element === target) card.visible = isIntersecting;
  }
  schedule();
});

function cardOf(name) {
  const before = cards.get(name);
  if (before !== undefined) return before;
  const card = new PoolCard(name, theme);
  cards.set(name, card);
  find('pools').append(card.element);
  visibility.observe(card.element);
  for (const key of Object.keys(card.lines)) card.lines[key] = Array(times.length).fill(null);
  return card;
}

function dropOthers(pools) {
  const names = new Set(pools.map(({ name }) => name));
  for (const [name, { element }] of cards) {
    if (names.has(name)) continue;
    visibility.unobserve(element);
    element.remove();
    cards.delete(name);
  }
}

function onSnapshot(snapshot) {
  times = snapshot.times;
  seconds = times.map((time) => time / 1_000);
  dropOthers(snapshot.pools);
  // When a stream is renewed, nobody must lose his place in what happened, nor what he has opened there.
  if (snapshot.since !== since) forgetWhatHappened();
  since = snapshot.since;
  const fresh = happenings.add(snapshot.happenings);
  for (const pool of snapshot.pools) cardOf(pool.name).restart(pool, fresh, snapshot.at);
  const begin = new Date(since).toLocaleTimeString('en-GB');
  setText(find('since'), `Nothing is recorded while no page is open: the lines begin at ${begin}.`);
  schedule();
}

function forgetWhatHappened() {
  happenings.reset();
  for (const card of cards.values()) card.outages.length = 0;
}

function onFrame(frame) {
  dropOthers(frame.pools);
  for (const { name } of frame.pools) cardOf(name);
  times.push(frame.at);
  seconds.push(frame.at / 1_000);
  for (const pool of frame.pools) cardOf(pool.name).advance(pool, frame.at);
  const old = times.findIndex((time) => time > frame.at - TEN_MINUTES);
  if (old > 0) {
    times.splice(0, old);
    seconds.splice(0, old);
    for (const card of cards.values()) card.forget(old);
  }
  happenings.add(frame.happenings);
  schedule();
}

const STREAM = new URL('stream', import.meta.url);

function follow() {
  const source = new EventSource(STREAM);
  source.addEventListener('open', () => showLink('live', 'live'));
  source.addEventListener('snapshot', ({ data }) => onSnapshot(JSON.parse(data)));
  source.addEventListener('frame', ({ data }) => onFrame(JSON.parse(data)));
  source.addEventListener('renew', () => {
    source.close();
    follow();
  });
  source.addEventListener('error', () => {
    // A browser gives up on an answer such as 503, and waits as long as it likes otherwise.
    source.close();
    void lookWhy();
  });
}

/** An EventSource does not tell why it has ended: because nobody answers, or because the guards no longer let us in. */
async function lookWhy() {
  const status = await askForStatus();
  if (REFUSALS.has(status)) {
    showLink('gone', 'not allowed any more: reload the page to log in');
    return;
  }
  const trouble = status === undefined || status === 200 ? 'does not answer' : `answers with status ${status}`;
  showLink('gone', `the application ${trouble}; trying again`);
  setTimeout(follow, PAUSE);
}

/** Undefined if there is no answer. */
async function askForStatus() {
  try {
    const { status } = await fetch(STREAM, { method: 'HEAD', redirect: 'manual', cache: 'no-store' });
    return status;
  } catch {
    return undefined;
  }
}

function showLink(state, text) {
  setAttribute(find('link'), 'class', `link ${state}`);
  setText(find('link'), text);
}

/** The colours of the style sheet, for what is drawn on canvases. */
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  theme.cells = STATES.map(colour);
  theme.ink = colour('ink');
  theme.quiet = colour('quiet');
  theme.grid = colour('grid');
  theme.outage = colour('outage');
  const dashes = { idle: [6, 3], waiting: [2, 2], p99: [6, 3] };
  for (const key of ['leased', 'idle', 'waiting', 'p50', 'p99']) {
    theme.lines[key] = { stroke: colour(`${key}-line`), dash: dashes[key] };
  }
}

function drawLegend() {
  const entries = STATE_TEXTS.map((text, code) => {
    const entry = document.createElement('li');
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 28;
    canvas.style.width = canvas.style.height = '14px';
    canvas.setAttribute('aria-hidden', 'true');
    const context = canvas.getContext('2d');
    context.scale(2, 2);
    drawCell(context, code, 0, 0, 14, theme.cells);
    entry.append(canvas, text);
    return entry;
  });
  find('legend').replaceChildren(...entries.slice(1), entries[0]);
}

function repaint() {
  readTheme();
  drawLegend();
  for (const card of cards.values()) card.repaint();
  schedule();
}

find('pause').addEventListener('click', () => {
  paused = !paused;
  find('pause').setAttribute('aria-pressed', String(paused));
  setText(find('pause'), paused ? 'Resume' : 'Pause');
  schedule();
});

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
new ResizeObserver(schedule).observe(document.body);

repaint();
follow();
