import { createHash } from 'node:crypto';
import { PAGE_ASSETS } from './page-assets.js';

/** A file as it is served. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const PAGE = 'page.html';

/** Where the page names its files. */
const BASE = /\{base\}/g;

/** The names of what the page loads. */
export const PAGE_NAMES = Object.keys(PAGE_ASSETS).filter((name) => name !== PAGE);

/** The files of the page, ready to be served. */
export class PageFiles {
  private readonly files = new Map(PAGE_NAMES.map((name) => [name, fileOf(name, PAGE_ASSETS[name]!)]));

  /** Undefined if there is none: to Express PAGE.JS is the same address as page.js. */
  file(name: string): PageFile | undefined {
    return this.files.get(name);
  }

  /**
   * The page itself. It names its files relative to its own address, which a proxy may have changed; only the browser knows the
   * rest of it.
   *
   * @param last the last part of the address, empty if it ends with a slash
   */
  page(last: string): PageFile {
    // Of what anybody may have asked for, nothing gets into the page that means anything there.
    const base = last === '' ? './' : `./${last.replace(/[^\w.~%-]/g, encodeURIComponent)}/`;
    return fileOf(PAGE, PAGE_ASSETS[PAGE]!.replace(BASE, base));
  }
}

function fileOf(name: string, text: string): PageFile {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[name.split('.').at(-1)!]!, text, etag };
}
