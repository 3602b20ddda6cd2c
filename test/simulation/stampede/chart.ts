/**
 * Charts as SVG text: panels one above the other over one common x axis, each with bars or lines of its own. By hand,
 * since all that is needed of a library is some arithmetic, and since what comes out has to be the same on every machine.
 */

export interface Chart {
  readonly title: string;
  /** What is to be seen, in a sentence or two, each on a line of its own. */
  readonly subtitle: readonly string[];
  readonly x: Axis;
  readonly panels: readonly Panel[];
}

export interface Axis {
  /** What is measured, and in which unit. */
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}

export interface Panel {
  readonly title: string;
  /** Stands at the right of the title. */
  readonly remark?: string;
  readonly color: string;
  readonly y: Axis & {
    /** Default: `'linear'`. On a logarithmic axis what is 0 is not drawn. */
    readonly scale?: 'linear' | 'log';
  };
  readonly data: readonly Point[];
  /** Bars that begin at their x and are so wide, in units of x. Without it the points are joined by a line. */
  readonly barWidth?: number;
  /** Parts of the x axis that are shaded, with what they are. */
  readonly bands?: ReadonlyArray<{ readonly from: number; readonly to: number; readonly label: string }>;
  /** What is written into the panel, each just above its point. */
  readonly notes?: ReadonlyArray<Point & { readonly text: string }>;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 880;
const LEFT = 76;
const RIGHT = 24;
const LINE = 20;
const PANEL = { title: 34, height: 170, gap: 14 };
const FOOT = 56;
// A background of its own: a page may be light or dark, and an image cannot know.
const COLORS = {
  paper: '#ffffff',
  frame: '#d0d7de',
  ink: '#1f2328',
  faint: '#59636e',
  grid: '#e6eaef',
  band: '#fff5d9',
};
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

/** The chart as an SVG document, which needs nothing else: no script, no style sheet, no font of its own. */
export function drawChart(chart: Chart): string {
  const head = 44 + LINE * chart.subtitle.length;
  const step = PANEL.title + PANEL.height + PANEL.gap;
  const height = head + step * chart.panels.length + FOOT;
  const foot = head + step * chart.panels.length - PANEL.gap;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      `role="img" font-family="${FONT}" font-size="13" fill="${COLORS.ink}">`,
    `<title>${escape(chart.title)}</title>`,
    `<desc>${escape(chart.subtitle.join(' '))}</desc>`,
    `<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6" fill="${COLORS.paper}" stroke="${COLORS.frame}"/>`,
    text(LEFT, 34, chart.title, 'font-size="18" font-weight="600"'),
    ...chart.subtitle.map((line, row) => text(LEFT, 56 + LINE * row, line, `fill="${COLORS.faint}"`)),
    ...chart.panels.flatMap((panel, index) => drawPanel(panel, chart.x, head + step * index + PANEL.title)),
    ...drawTicksOfX(chart.x, foot),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

function drawPanel(panel: Panel, x: Axis, top: number): string[] {
  const bottom = top + PANEL.height;
  const across = scale(x, LEFT, WIDTH - RIGHT);
  const up = scale(panel.y, bottom, top, panel.y.scale);
  const middle = top + PANEL.height / 2;
  return [
    text(LEFT, top - 10, panel.title, 'font-size="14" font-weight="600"'),
    ...(panel.remark === undefined
      ? []
      : [text(WIDTH - RIGHT, top - 10, panel.remark, `fill="${COLORS.faint}" text-anchor="end"`)]),
    ...(panel.bands ?? []).flatMap(({ from, to, label }) => [
      `<rect x="${across(from)}" y="${top}" width="${round(across(to) - across(from))}" height="${PANEL.height}" fill="${COLORS.band}"/>`,
      text(across(to) - 8, top + 17, label, `fill="${COLORS.faint}" text-anchor="end" font-size="12"`),
    ]),
    ...panel.y.ticks.flatMap((tick) => [
      `<path d="M${LEFT} ${up(tick)}H${WIDTH - RIGHT}" stroke="${COLORS.grid}"/>`,
      text(LEFT - 8, up(tick) + 4, withCommas(tick), `fill="${COLORS.faint}" text-anchor="end" font-size="12"`),
    ]),
    panel.barWidth === undefined
      ? `<path d="${pathOf(panel.data.map((point) => ({ x: across(point.x), y: up(point.y) })))}" fill="none" stroke="${panel.color}" stroke-width="2"/>`
      : `<path d="${panel.data.map((point) => bar(point, panel.barWidth!, across, up, bottom)).join('')}" fill="${panel.color}"/>`,
    `<path d="M${LEFT} ${bottom}H${WIDTH - RIGHT}" stroke="${COLORS.faint}"/>`,
    ...(panel.notes ?? []).map(({ x, y, text: note }) => {
      // Towards the middle, where there is room for it.
      const [place, anchor] = across(x) < WIDTH * 0.7 ? [x, 'start'] : [x + (panel.barWidth ?? 0), 'end'];
      return text(across(place), up(y) - 5, note, `text-anchor="${anchor}" font-size="12"`);
    }),
    text(22, middle, panel.y.label, `fill="${COLORS.faint}" text-anchor="middle" transform="rotate(-90 22 ${middle})"`),
  ];
}

function drawTicksOfX(x: Axis, top: number): string[] {
  const across = scale(x, LEFT, WIDTH - RIGHT);
  return [
    ...x.ticks.flatMap((tick) => [
      `<path d="M${across(tick)} ${top}v5" stroke="${COLORS.faint}"/>`,
      text(across(tick), top + 20, withCommas(tick), `fill="${COLORS.faint}" text-anchor="middle" font-size="12"`),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, top + 42, x.label, `fill="${COLORS.faint}" text-anchor="middle"`),
  ];
}

/** From a value to its place on the paper. */
function scale(axis: Axis, start: number, end: number, kind: 'linear' | 'log' = 'linear'): (value: number) => number {
  const measure = kind === 'log' ? Math.log10 : (value: number): number => value;
  const [from, to] = [measure(axis.from), measure(axis.to)];
  return (value) => {
    const inside = Math.min(axis.to, Math.max(axis.from, value));
    return round(start + ((measure(inside) - from) / (to - from)) * (end - start));
  };
}

function bar(
  { x, y }: Point,
  width: number,
  across: (x: number) => number,
  up: (y: number) => number,
  bottom: number,
): string {
  const height = bottom - up(y);
  return height === 0 ? '' : `M${across(x)} ${bottom}V${up(y)}H${across(x + width)}V${bottom}Z`;
}

function pathOf(points: readonly Point[]): string {
  return points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x} ${y}`).join('');
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escape(content)}</text>`;
}

/** A tenth of a pixel is as fine as anybody can see, and keeps the document short. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** 2000 is `2,000`: written by hand, for machines differ in the languages they know. */
export function withCommas(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
