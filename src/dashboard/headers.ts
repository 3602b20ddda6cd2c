import type { PageFile } from './page-files.js';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SECURITY = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-robots-tag': 'noindex',
};

/** No cache but the browser's own may have a file, which the guards let nobody else see; and the browser asks each time. */
export function headersOf({ type, etag }: PageFile): Record<string, string> {
  return { ...SECURITY, 'content-type': type, 'cache-control': 'private, no-cache', etag };
}

/** Nothing on the way may keep the stream, change it, or hold it back. */
export const STREAM_HEADERS = {
  ...SECURITY,
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};
