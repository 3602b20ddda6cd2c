/** The lines of a pool, by uPlot. */
import { setAttribute, setText } from './cells.js';

/** How much time there is to see, in seconds: from where the lines begin until now, within these bounds. */
const SPAN = { least: 30, most: 600 };

const HEIGHT = 124;

export const COUNTS = {
  title: 'Connections and callers',
  keys: ['leased', 'idle', 'waiting'],
  labels: ['leased', 'idle', 'waiting callers'],
  text: (value) => String(Math.round(value)),
  // There are no halves of connections.
  steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000],
};

export const WAITS = {
  title: 'Wait for a connection',
  keys: ['p50', 'p99'],
  labels: ['wait, p50', 'wait, p99'],
  text: millisecondsText,
};

export function millisecondsText(value) {
  if (value >= 10_000) return `${(value / 1_000).toFixed(0)} s`;
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)} s`;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toPrecision(2)} ms`;
}

export class Chart {
  /** @param outages the times in which the pool was down, as pairs of seconds; an open end is undefined */
  constructor(figure, kind, theme, outages) {
    this.kind = kind;
    this.theme = theme;
    this.outages = outages;
    this.element = figure.querySelector('.chart');
    this.values = this.fillCaption(figure.querySelector('figcaption'));
    this.cursor = null;
  }

  /** @param data the times, in seconds, and a list for each line */
  draw(data, now) {
    this.data = data;
    this.now = now;
    const width = this.element.clientWidth;
    if (width === 0) return;
    if (this.plot === undefined) this.plot = this.make(width, data);
    else if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
    const begin = Math.max(data[0][0] ?? now, now - SPAN.most);
    this.period = begin > now - SPAN.most ? `since ${SECONDS.format(begin * 1_000)}` : 'over the last ten minutes';
    // Scales before data would be drawn twice; a batch draws once.
    this.plot.batch(() => {
      this.plot.setData(data, false);
      // At first the lines grow to the right, for an empty left would look as if nothing had been going on.
      this.plot.setScale('x', { min: begin, max: Math.max(now, begin + SPAN.least) });
    });
    this.tell();
  }

  /** In new colours. */
  repaint() {
    this.plot?.destroy();
    this.plot = undefined;
  }

  fillCaption(caption) {
    return this.kind.keys.map((key, index) => {
      const entry = document.createElement('span');
      entry.className = 'key';
      const namespace = 'http://www.w3.org/2000/svg';
      const sample = document.createElementNS(namespace, 'svg');
      const line = document.createElementNS(namespace, 'line');
      for (const [name, value] of Object.entries({ x1: 0, y1: 4, x2: 22, y2: 4, class: `line-${key}` })) {
        line.setAttribute(name, value);
      }
      sample.setAttribute('aria-hidden', 'true');
      sample.append(line);
      const value = document.createElement('span');
      value.className = 'value';
      entry.append(sample, this.kind.labels[index], value);
      caption.append(entry);
      return value;
    });
  }

  make(width, data) {
    const { theme, kind } = this;
    const axis = { stroke: theme.quiet, font: '11px system-ui, sans-serif', ticks: { show: false } };
    const grid = { stroke: theme.grid, width: 1 };
    return new uPlot(
      {
        width,
        height: HEIGHT,
        // To the right there is room for half a time of day.
        padding: [8, 24, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { setScale: false }, points: { size: 6 }, sync: { key: 'pools' } },
        scales: {
          x: { time: true, range: (_, min, max) => [min, max] },
          y: { range: (_, min, max) => [0, Math.max(1, (max ?? 1) * 1.1)] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 22,
            space: 70,
            values: (_, times, __, ___, step) => times.map((time) => timeText(time, step)),
          },
          {
            ...axis,
            grid,
            size: 52,
            space: 32,
            incrs: kind.steps,
            values: (_, values) => values.map((value) => kind.text(value)),
          },
        ],
        series: [
          {},
          ...kind.keys.map((key) => ({
            stroke: theme.lines[key].stroke,
            width: 1.6,
            dash: theme.lines[key].dash,
            // A line has no length where somebody asked once and nobody before or after.
            points: {
              size: 4,
              width: 0,
              fill: theme.lines[key].stroke,
              filter: (plot, index) => lonely(plot.data[index]),
            },
            spanGaps: false,
          })),
        ],
        hooks: {
          drawClear: [(plot) => this.shadeOutages(plot)],
          setCursor: [
            (plot) => {
              this.cursor = plot.cursor.idx ?? null;
              this.tell();
            },
          ],
        },
      },
      data,
      this.element,
    );
  }

  shadeOutages(plot) {
    const { left, top, width, height } = plot.bbox;
    plot.ctx.save();
    plot.ctx.fillStyle = this.theme.outage;
    for (const [from, to] of this.outages) {
      const start = Math.max(left, plot.valToPos(from, 'x', true));
      const end = Math.min(left + width, plot.valToPos(to ?? this.now, 'x', true));
      if (end > start) plot.ctx.fillRect(start, top, Math.max(2, end - start), height);
    }
    plot.ctx.restore();
  }

  /** The values where the cursor is, or the last ones. */
  tell() {
    const { kind, data } = this;
    const texts = kind.keys.map((_, index) => {
      const line = data[index + 1];
      const value = line[this.cursor ?? line.length - 1];
      return value === null || value === undefined ? '–' : kind.text(value);
    });
    for (const [index, text] of texts.entries()) setText(this.values[index], text);
    if (this.cursor === null) {
      const parts = kind.labels.map((label, index) => `${label} ${texts[index] === '–' ? 'none' : texts[index]}`);
      setAttribute(this.element, 'aria-label', `${kind.title} ${this.period}; now: ${parts.join('; ')}`);
    }
  }
}

/** The places of values that have none beside them. */
function lonely(line) {
  const isThere = (place) => line[place] !== null && line[place] !== undefined;
  return line.flatMap((_, place) => (isThere(place) && !isThere(place - 1) && !isThere(place + 1) ? [place] : []));
}

const [MINUTES, SECONDS] = [undefined, '2-digit'].map(
  (second) => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second }),
);

function timeText(seconds, step) {
  return (step < 60 ? SECONDS : MINUTES).format(seconds * 1_000);
}
