// A share link: made with a preview, read by somebody without an account, listed and revoked.
import type { Browser, Page } from '@playwright/test';
import { expect, isLive, test } from '../medic';

/** Opens a link as somebody else, who has no cookie and asks for nothing but the page, its style and the icon. */
async function openElsewhere(browser: Browser, link: string, look: (page: Page, status: number) => Promise<void>) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const answer = await page.goto(link);
  await look(page, answer?.status() ?? 0);
  expect(await context.cookies()).toEqual([]);
  for (const path of asked) expect(path).toMatch(/^\/(s\/|pkg\/[^/]+\.css$|favicon\.svg$)/);
  await context.close();
}

async function makeLink(page: Page, incident: string): Promise<string> {
  await page.goto(`/incidents/${incident}`);
  await page.getByRole('link', { name: 'Share', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Share this incident');
  await expect(page.getByRole('region', { name: 'Preview' })).toContainText('price_of');
  await page.getByRole('button', { name: 'Create link' }).click();
  await expect(page.getByText('Link created.')).toBeVisible();
  return page.getByLabel('Share link', { exact: true }).inputValue();
}

test('a link is previewed, made, copied, read by somebody else, and revoked', async ({ page, browser, incident }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const link = await makeLink(page, incident.id);
  await isLive(page);
  await page.getByRole('link', { name: 'Copy link' }).click();
  await expect(page.getByText('Link copied')).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);

  await openElsewhere(browser, link, async (reader, status) => {
    expect(status).toBe(200);
    await expect(reader.getByRole('heading', { level: 1 })).toContainText('price_of');
    await expect(reader.getByRole('figure').first()).toContainText('cart.rs');
    await expect(reader.locator('script, leptos-island')).toHaveCount(0);
    await reader.setViewportSize({ width: 390, height: 844 });
    const moved = await reader.evaluate(() => (window.scrollTo({ left: 1000, behavior: 'instant' }), window.scrollX));
    expect(moved).toBe(0);
    // printed, what is folded is there, and what is only of use on a screen is not
    await reader.emulateMedia({ media: 'print' });
    await expect(reader.locator('.masthead')).toBeHidden();
    await expect(reader.getByRole('link', { name: 'View as Markdown' })).toBeHidden();
    await reader.emulateMedia({ media: null });
    await reader.getByRole('link', { name: 'View as Markdown' }).click();
    await expect(reader.locator('body')).toContainText('### Stack trace');
  });

  await page.goto('/shares');
  const row = page.getByRole('row').filter({ hasText: 'price_of' }).first();
  await expect(row).toContainText('by people');
  await row.getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText('Link revoked.')).toBeVisible();
  await expect(row).toContainText('Revoked');
  await openElsewhere(browser, link, async (reader, status) => {
    expect(status).toBe(404);
    await expect(reader.getByRole('heading', { level: 1 })).toHaveText('Link not found');
  });
});

test('what is ticked is shown before a link is made of it', async ({ page, incident, expectFailure }) => {
  const path = `/incidents/${incident.id}/share`;
  await page.goto(path);
  const preview = page.getByRole('region', { name: 'Preview' });
  await expect(preview).not.toContainText('Incident of shop');
  await page.getByLabel('App name').check();
  expectFailure(path);
  await page.getByRole('button', { name: 'Create link' }).click();
  await expect(page.getByText('No link was created yet')).toBeVisible();
  await expect(preview).toContainText('Incident of shop');
  await page.getByLabel('App name').uncheck();
  await page.getByLabel('Machine names').check();
  await page.getByRole('button', { name: 'Update preview' }).click();
  await expect(page).toHaveURL(/hosts=yes/);
  await expect(preview).not.toContainText('node-1');
  await page.getByLabel('Link expires after').selectOption('1 day');
  await page.getByRole('button', { name: 'Create link' }).click();
  await expect(page.getByText('Link created.')).toBeVisible();
});

test.describe('without JavaScript', () => {
  // Without scripts the browser may hold a click back for the whole of the animation from page to page.
  test.use({ javaScriptEnabled: false, contextOptions: { reducedMotion: 'reduce' } });

  test('a link is made, read and revoked', async ({ page, incident, expectFailure }) => {
    const link = await makeLink(page, incident.id);
    expect((await page.goto(link))?.status()).toBe(200);
    await expect(page.getByRole('heading', { level: 1 })).toContainText('price_of');
    await page.goto('/shares');
    await page.getByRole('row').filter({ hasText: 'price_of' }).first().getByRole('button', { name: 'Revoke' }).click();
    await expect(page.getByText('Link revoked.')).toBeVisible();
    expectFailure(new URL(link).pathname);
    expect((await page.goto(link))?.status()).toBe(404);
  });
});

test('a report and a restart are shared from their pages', async ({ page, medic }) => {
  await medic.restart('till', 0);
  await page.goto('/apps/till/categories/availability-and-performance/detectors/web-app-restarted');
  await page.getByRole('link', { name: 'Share', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Preview' })).toContainText('Web App Restarted');
  await page.getByRole('button', { name: 'Create link' }).click();
  await expect(page.getByText('Link created.')).toBeVisible();
  await page.goto('/apps/till/categories/diagnostic-tools/tools/auto-heal?tab=history');
  await page.getByRole('region', { name: 'Restarts', exact: true }).locator('summary').first().click();
  await page.getByRole('link', { name: 'Share', exact: true }).first().click();
  await expect(page.getByRole('region', { name: 'Preview' })).toContainText('Restart of instance node-1/0');
  await page.getByRole('button', { name: 'Create link' }).click();
  await expect(page.getByText('Link created.')).toBeVisible();
});
