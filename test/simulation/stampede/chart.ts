import { COLORS, round, scale, svg, text, withCommas, type Axis } from '../../svg.js';

/** Panels one above the other over one common x axis, each with bars or lines of its own. */
export interface Chart {
  readonly title: string;
  /** What is to be seen, in a sentence or two, each on a line of its own. */
  readonly subtitle: readonly string[];
  readonly x: Axis;
  readonly panels: readonly Panel[];
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

/** The chart as an SVG document. */
export function drawChart(chart: Chart): string {
  const head = 44 + LINE * chart.subtitle.length;
  const step = PANEL.title + PANEL.height + PANEL.gap;
  const height = head + step * chart.panels.length + FOOT;
  const foot = head + step * chart.panels.length - PANEL.gap;
  const { title, subtitle } = chart;
  return svg({ width: WIDTH, height, title, description: subtitle.join(' ') }, [
    text(LEFT, 34, title, 'font-size="18" font-weight="600"'),
    ...subtitle.map((line, row) => text(LEFT, 56 + LINE * row, line, `fill="${COLORS.faint}"`)),
    ...chart.panels.flatMap((panel, index) => drawPanel(panel, chart.x, head + step * index + PANEL.title)),
    ...drawTicksOfX(chart.x, foot),
  ]);
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
