import { COLORS, round, scale, svg, text, withCommas } from '../svg.js';
import type { BenchmarkRecord, RowRecord } from './record.js';
import { OURS, type Standing } from './summary.js';
import { significant } from './table.js';

/** The rows that are drawn, those of them that were measured: a handful that says most. */
const TELLING: ReadonlyArray<{ readonly scenario: string; readonly als: boolean; readonly title: string }> = [
  { scenario: 'one caller', als: false, title: 'One caller, who never waits' },
  { scenario: 'one caller', als: true, title: 'The same with an AsyncLocalStorage active' },
  { scenario: '100 on 10, for a microtask', als: false, title: '100 callers on 10 connections, without a pause' },
  { scenario: '10000 at once', als: false, title: '10,000 callers at once on 10 connections' },
  { scenario: 'one lease in ten discarded', als: false, title: 'One caller, every tenth connection discarded' },
];

export function telling(scenario: string, als: boolean): boolean {
  return TELLING.some((each) => each.scenario === scenario && each.als === als);
}

const WIDTH = 880;
const LEFT = 192;
const RIGHT = 72;
const HEAD = 96;
const TITLE = 30;
const BAR = { height: 14, step: 19 };
const GAP = 16;
const FOOT = 58;
/** Letters that have room beside the floor. */
const LONGEST = 80;
const COLOR = { ours: '#0969da', peer: '#8c959f' };
/** As readers of the README know ours. */
const LABELS: Readonly<Record<string, string>> = {
  [OURS]: 'nestjs-connection-pool',
  observed: '… with all observers',
};
const SMALL = 'font-size="12"';
/** Where the axis has a mark: 1, 2, 5, 10 … */
const MARKS = [0.1, 1, 10, 100, 1_000].flatMap((ten) => [ten, 2 * ten, 5 * ten]);

interface Panel {
  readonly title: string;
  readonly row: RowRecord;
  /** All but the reference. */
  readonly contestants: ReadonlyArray<readonly [name: string, standing: Standing]>;
}

/** What each contestant costs in telling rows, as times the reference, on a logarithmic axis. */
export function drawRatios({ node, cpu, rows }: BenchmarkRecord): string {
  const panels = panelsOf(rows);
  const heights = panels.map(({ contestants }) => TITLE + BAR.step * contestants.length + GAP);
  const tops = heights.map((_, index) => HEAD + heights.slice(0, index).reduce((sum, each) => sum + each, 0));
  const foot = HEAD + heights.reduce((sum, each) => sum + each, 0) - GAP;
  const axis = axisOf(panels);
  const across = scale(axis, LEFT, WIDTH - RIGHT, 'log');
  const title = 'What a lease costs, as times the floor';
  const subtitle = [
    'The floor is the simplest pool that is correct: a list and a queue. Shorter is better; the axis is logarithmic.',
    `Medians, with the quartiles as a line. Node ${node.replace('v', '')}, ${cpu.cores} cores.`,
  ];
  return svg({ width: WIDTH, height: foot + FOOT, title, description: subtitle.join(' ') }, [
    text(24, 34, title, 'font-size="18" font-weight="600"'),
    ...subtitle.map((line, index) => text(24, 56 + 20 * index, line, `fill="${COLORS.faint}"`)),
    ...panels.flatMap((panel, index) => drawPanel(panel, tops[index]!, axis.ticks.map(across), across)),
    ...axis.ticks.map((tick) =>
      text(across(tick), foot + 18, String(tick), `fill="${COLORS.faint}" text-anchor="middle" ${SMALL}`),
    ),
    text((LEFT + WIDTH - RIGHT) / 2, foot + 42, 'times the floor', `fill="${COLORS.faint}" text-anchor="middle"`),
  ]);
}

function panelsOf(rows: readonly RowRecord[]): Panel[] {
  return TELLING.flatMap(({ scenario, als, title }) => {
    const row = rows.find((each) => each.scenario === scenario && each.als === als);
    if (row === undefined) return [];
    const contestants = Object.entries(row.contestants).filter(([name]) => name !== row.reference);
    return [{ title, row, contestants }];
  });
}

/** From the mark below the least to the mark above the most, and never without 1. */
function axisOf(panels: readonly Panel[]): { from: number; to: number; ticks: number[] } {
  const ratios = panels.flatMap(({ contestants }) =>
    contestants.flatMap(([, standing]) =>
      'ratio' in standing ? [standing.ratio.median, ...standing.ratio.quartiles] : [],
    ),
  );
  const from = MARKS.findLast((mark) => mark <= Math.min(1, ...ratios)) ?? MARKS[0]!;
  const to = MARKS.find((mark) => mark > Math.max(1, ...ratios)) ?? MARKS.at(-1)!;
  return { from, to, ticks: MARKS.filter((mark) => mark >= from && mark <= to) };
}

function drawPanel(
  { title, row, contestants }: Panel,
  top: number,
  grid: readonly number[],
  across: (ratio: number) => number,
): string[] {
  const [upper, lower] = [top + TITLE - 4, top + TITLE + BAR.step * contestants.length];
  const reference = row.contestants[row.reference];
  const remark =
    reference !== undefined && 'cost' in reference
      ? `${row.reference}: ${withCommas(Math.round(reference.cost.median))} ${row.unit} per ${row.per}`
      : '';
  return [
    text(24, top + 16, title, 'font-size="14" font-weight="600"'),
    text(WIDTH - 24, top + 16, remark, `fill="${COLORS.faint}" text-anchor="end" ${SMALL}`),
    ...grid.map((x) => `<path d="M${x} ${upper}V${lower}" stroke="${COLORS.grid}"/>`),
    ...contestants.flatMap(([name, standing], index) => {
      const y = top + TITLE + BAR.step * index;
      const weight = name === OURS ? 'font-weight="600"' : '';
      return [
        text(LEFT - 10, y + 11, LABELS[name] ?? name, `text-anchor="end" ${SMALL} ${weight}`.trimEnd()),
        ...drawBar(name, standing, y, across),
      ];
    }),
    // The reference itself.
    `<path d="M${across(1)} ${upper}V${lower}" stroke="${COLORS.ink}"/>`,
  ];
}

function drawBar(name: string, standing: Standing, y: number, across: (ratio: number) => number): string[] {
  const floor = across(1);
  if ('void' in standing) {
    return [text(floor + 8, y + 11, `void: ${standing.void}`.slice(0, LONGEST), `fill="${COLORS.faint}" ${SMALL}`)];
  }
  const { median, quartiles } = standing.ratio;
  const [lower, upper] = [across(quartiles[0]), across(quartiles[1])];
  const end = across(median);
  const middle = y + BAR.height / 2;
  const width = round(Math.abs(end - floor));
  return [
    `<rect x="${Math.min(floor, end)}" y="${y}" width="${width}" height="${BAR.height}" fill="${name === OURS ? COLOR.ours : COLOR.peer}"/>`,
    `<path d="M${lower} ${middle}H${upper}" stroke="${COLORS.ink}"/>`,
    text(Math.max(floor, end, upper) + 8, y + 11, significant(median), SMALL),
  ];
}
