import { withCommas } from '../../svg.js';
import { drawChart, type Panel, type Point } from './chart.js';
import { attemptsPer, OUTAGE, peak, PROCESSES, SIZE, slowestLogin, type Stampede } from './stampede.js';

const SECOND = 1_000;
const TENTH = 100;

/** Both runs, one above the other, as an SVG document. */
export function plot(defaults: Stampede, unbounded: Stampede): string {
  return drawChart({
    title: `${withCommas(PROCESSES * SIZE)} connections lost in one instant`,
    subtitle: [
      `${PROCESSES} processes with ${SIZE} connections each lose their backend; it is away for a minute, then takes 200 logins a second.`,
      'Connects begun in each second, on a logarithmic scale. Simulated: the real engine in virtual time.',
    ],
    x: {
      label: 'seconds since the backend died',
      from: -5,
      to: 100,
      ticks: [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
    },
    panels: [
      panel('By default: jitter, and 5 connects at a time', '#0969da', defaults),
      panel('The same without jitter and limit', '#cf222e', unbounded),
    ],
  });
}

function panel(title: string, color: string, run: Stampede): Panel {
  const perSecond = attemptsPer(SECOND, run).map((count, second) => ({ x: second, y: count }));
  const back = OUTAGE / SECOND;
  return {
    title,
    remark: `slowest login ${inSeconds(slowestLogin(run))}; all open again ${inSeconds(run.fullAt - OUTAGE)} after the return`,
    color,
    // From 0.5, so that a single connect is to be seen.
    y: { label: 'connects per second', scale: 'log', from: 0.5, to: 10_000, ticks: [1, 10, 100, 1_000] },
    data: perSecond,
    barWidth: 1,
    bands: [{ from: 0, to: back, label: 'the backend is away' }],
    notes: [
      noteOf(highest(perSecond.slice(0, back)), peak(TENTH, run, 0, OUTAGE)),
      noteOf(highest(perSecond.slice(back)), peak(TENTH, run, OUTAGE)),
    ],
  };
}

function highest(points: readonly Point[]): Point {
  return points.reduce((best, point) => (point.y > best.y ? point : best));
}

function noteOf({ x, y }: Point, inTenth: number): Point & { text: string } {
  return { x, y, text: `${withCommas(y)} (${withCommas(inTenth)} in 100 ms)` };
}

function inSeconds(milliseconds: number): string {
  return `${(milliseconds / SECOND).toFixed(1)} s`;
}
