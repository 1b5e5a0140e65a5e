import { expect, isLive, test } from '../medic';

test('the apps are listed with their health and lead to their home', async ({ page }) => {
  await page.goto('/');
  await expect(page).toHaveTitle(/Apps · Medic/);
  await expect(page.getByRole('heading', { level: 1, name: 'Apps' })).toBeVisible();
  const diary = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'diary' }) });
  await expect(diary).toContainText('Healthy');
  await expect(diary.getByRole('list', { name: 'Instances' })).toContainText(/\b0\b.*running/i);
  await isLive(page);
  await page.getByRole('link', { name: 'shop', exact: true }).click();
  await expect(page).toHaveURL('/apps/shop');
});

test('the home of an app has its tiles, and each link of them leads to a page', async ({ page }) => {
  await page.goto('/apps/diary');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Diagnose and solve problems');
  const tiles = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Troubleshooting categories' }) });
  for (const name of ['Availability and Performance', 'Configuration and Management'])
    await expect(tiles.getByRole('heading', { name })).toBeVisible();
  const links = await page.locator('main a[href^="/"]').evaluateAll((all) => all.map((a) => a.getAttribute('href')!));
  expect(links.length).toBeGreaterThan(5);
  for (const link of new Set(links)) {
    const answer = await page.request.get(link);
    expect(answer.status(), link).toBe(200);
  }
});

test('the search finds while typing, counts, and Escape clears it', async ({ page }) => {
  await page.goto('/apps/diary');
  await isLive(page);
  const search = page.getByRole('searchbox', { name: 'Search for common problems or tools' });
  await search.fill('sigsegv');
  const form = page.getByRole('search');
  await expect(form.getByRole('status')).toHaveText('1 result');
  await expect(form.getByRole('link', { name: 'Application Crashes' })).toBeVisible();
  await expect(form.getByRole('listitem')).toHaveCount(1);
  await search.fill('no such thing');
  await expect(form.getByRole('status')).toContainText('No results');
  await expect(form.getByRole('list')).toHaveCount(0);
  await search.press('Escape');
  await expect(search).toHaveValue('');
  await expect(form.getByRole('status')).toHaveText('');
  await search.fill('STACK crash');
  await search.press('Tab');
  await page.keyboard.press('Tab');
  await expect(form.getByRole('link', { name: 'Application Crashes' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(search).toBeFocused();
  await expect(form.getByRole('listitem')).toHaveCount(0);
  await search.fill('opt out');
  await form.getByRole('link', { name: 'Settings' }).click();
  await expect(page).toHaveURL('/apps/diary/settings');
});
