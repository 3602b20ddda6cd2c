import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import path from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { locate, whereInstalled, type Programs } from '../servers/binaries.js';

const CHROMIUM: Programs = { name: 'Chromium', package: 'chromium', binaries: ['chromium'] };

/** A page in a browser, and whatever went wrong in it. */
export interface Seen {
  readonly page: Page;
  /** What the console says of errors, what was thrown, and what the policy forbade. */
  readonly faults: string[];
  /** Where anything was asked for. */
  readonly origins: Set<string>;
}

/** A suite with a browser; `open` opens a page at an address, in a profile of its own. */
export function describeInBrowser(
  title: string,
  suite: (open: (url: string, options?: BrowserContextOptions) => Promise<Seen>) => void,
): void {
  whereInstalled(CHROMIUM, describe)(title, () => {
    let browser: Browser;

    beforeAll(async () => {
      const executablePath = path.join(locate(CHROMIUM)!, 'chromium');
      // In a container there is neither the sandbox's kernel nor enough shared memory.
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    });

    afterEach(async () => {
      for (const context of browser.contexts()) await context.close();
    });

    afterAll(() => browser.close());

    suite(async (url, options = {}) => {
      const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const faults: string[] = [];
      const origins = new Set<string>();
      page.on('console', (message) => {
        if (message.type() !== 'log') faults.push(`${message.type()}: ${message.text()}`);
      });
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('request', (request) => origins.add(new URL(request.url()).origin));
      await page.addInitScript(`
        addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
          console.error('forbidden by ' + violatedDirective + ': ' + blockedURI);
        });
      `);
      await page.goto(url);
      return { page, faults, origins };
    });
  });
}
