import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, folders, isLive, pagesOf, test } from '../medic';

/** Bytes on the wire for whoever opens one page and has nothing of it yet: heads, page, style, script and WASM. */
const mostBytes = 100_000;

test.beforeAll(() => {
  const site = join(folders.target, 'site/pkg');
  const released = existsSync(site) && readdirSync(site).some((name) => name.endsWith('.wasm.br'));
  expect(released, 'the site is not built as it is released: run `cargo xtask site --release`').toBe(true);
});

for (const encodings of ['gzip, deflate, br', 'gzip'])
  test(`the first view of each page is at most 100 KB (${encodings})`, async ({ browser, medic }) => {
    for (const path of pagesOf('diary')) {
      const context = await browser.newContext({ extraHTTPHeaders: { 'Accept-Encoding': encodings } });
      const page = await context.newPage();
      const sizes = await weigh(page, medic.url + path);
      await context.close();
      const list = [path, ...sizes.map(([url, size]) => `${size} ${url}`)].join('\n');
      for (const kind of ['.css', '.js', '.wasm']) expect(sizes.some(([url]) => url.endsWith(kind)), list).toBe(true);
      expect(sizes.reduce((sum, [, size]) => sum + size, 0), list).toBeLessThanOrEqual(mostBytes);
    }
  });

/** Each answer until the islands are alive: its address and encoded size. */
async function weigh(page: Page, url: string): Promise<[string, number][]> {
  const devtools = await page.context().newCDPSession(page);
  const urls = new Map<string, string>();
  const sizes: [string, number][] = [];
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
  devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    sizes.push([urls.get(requestId) ?? requestId, encodedDataLength]),
  );
  await devtools.send('Network.enable');
  await page.goto(url, { waitUntil: 'load' });
  await isLive(page);
  return sizes;
}
