/**
 * What every chart here is made of, as SVG text. By hand, since all that is needed of a library is some arithmetic, and since
 * what comes out has to be the same on every machine.
 */

export interface Axis {
  /** What is measured, and in which unit. */
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}

// A background of its own: a page may be light or dark, and an image cannot know.
export const COLORS = {
  paper: '#ffffff',
  frame: '#d0d7de',
  ink: '#1f2328',
  faint: '#59636e',
  grid: '#e6eaef',
  band: '#fff5d9',
};
const FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";

export interface Sheet {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** For those who cannot see it. */
  readonly description: string;
}

/** An SVG document, which needs nothing else: no script, no style sheet, no font of its own. */
export function svg({ width, height, title, description }: Sheet, elements: readonly string[]): string {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `role="img" font-family="${FONT}" font-size="13" fill="${COLORS.ink}">`,
    `<title>${escape(title)}</title>`,
    `<desc>${escape(description)}</desc>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6" fill="${COLORS.paper}" stroke="${COLORS.frame}"/>`,
    ...elements,
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

/** From a value to its place on the paper. */
export function scale(
  axis: Pick<Axis, 'from' | 'to'>,
  start: number,
  end: number,
  kind: 'linear' | 'log' = 'linear',
): (value: number) => number {
  const measure = kind === 'log' ? Math.log10 : (value: number): number => value;
  const [from, to] = [measure(axis.from), measure(axis.to)];
  return (value) => {
    const inside = Math.min(axis.to, Math.max(axis.from, value));
    return round(start + ((measure(inside) - from) / (to - from)) * (end - start));
  };
}

export function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escape(content)}</text>`;
}

/** A tenth of a pixel is as fine as anybody can see, and keeps the document short. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** 2000 is `2,000`: written by hand, for machines differ in the languages they know. */
export function withCommas(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
