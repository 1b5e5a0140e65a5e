// node screenshots.mjs http://127.0.0.1:3000 INCIDENT FOLDER
// A picture of every page of the incident's app: light and dark, wide and narrow. And the one in README.md.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { launchOptions } from './chromium.mjs';

const [origin, incident, folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node screenshots.mjs http://127.0.0.1:3000 INCIDENT FOLDER');
  process.exit(2);
}
const { app } = await (await fetch(`${origin}/api/v1/incidents/${incident}`)).json();
const category = `/apps/${app}/categories/availability-and-performance`;
const pages = {
  apps: '/',
  home: `/apps/${app}`,
  search: `/apps/${app}?q=crash`,
  overview: `${category}/overview`,
  memory: `${category}/detectors/memory-analysis`,
  restarted: `${category}/detectors/web-app-restarted`,
  crashes: `${category}/detectors/application-crashes`,
  'auto-heal-custom': `/apps/${app}/categories/diagnostic-tools/tools/auto-heal`,
  'auto-heal-proactive': `/apps/${app}/categories/diagnostic-tools/tools/auto-heal?tab=proactive`,
  'auto-heal-history': `/apps/${app}/categories/diagnostic-tools/tools/auto-heal?tab=history`,
  incidents: `/apps/${app}/incidents`,
  incident: `/incidents/${incident}`,
  'share-incident': `/incidents/${incident}/share`,
  'share-report': `${category}/detectors/application-crashes/share`,
  shares: '/shares',
  settings: `/apps/${app}/settings`,
  'not-found': '/nowhere',
};

await mkdir(folder, { recursive: true });
const browser = await chromium.launch(launchOptions);
try {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: width > 600 ? 900 : 844 } });
      const page = await context.newPage();
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(origin + path);
        // The islands are alive once the page hears the server's news.
        await page.locator('.live[data-state="live"]').waitFor({ timeout: 20_000 });
        const file = `${name}-${colorScheme}-${width}`;
        await page.screenshot({ path: join(folder, `${file}.png`), fullPage: true });
        if (file === 'incident-light-1280') await takeExplainedCrash(page, width);
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
}

/** Down to what to do about it. */
async function takeExplainedCrash(page, width) {
  const end = await page.getByText('Recommended actions').locator('xpath=..').boundingBox();
  const clip = { x: 0, y: 0, width, height: Math.ceil(end.y + end.height) + 16 };
  await page.screenshot({ path: join(folder, 'explained-crash.png'), fullPage: true, clip });
}

console.log(`screenshots: ${folder}`);
