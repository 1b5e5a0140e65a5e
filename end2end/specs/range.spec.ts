import { crashesPage, expect, test } from '../medic';

const pill = /^Time range \(UTC\): \d{4}-\d\d-\d\d \d\d:\d\d – /;

test('a preset is an address and is marked', async ({ page }) => {
  await page.goto(crashesPage('diary'));
  await page.getByText(pill).click();
  await expect(page.getByRole('link', { name: 'Last 24 hours' })).toHaveAttribute('aria-current', 'true');
  await page.getByRole('link', { name: 'Last 6 hours' }).click();
  await expect(page).toHaveURL(/\?startTime=/);
  await page.getByText(pill).click();
  await expect(page.getByRole('link', { name: 'Last 6 hours' })).toHaveAttribute('aria-current', 'true');
});

test('a custom range that is wrong is put right, and the page says how', async ({ page }) => {
  await page.goto(crashesPage('diary'));
  await page.getByText(pill).click();
  const form = page.getByRole('form', { name: 'Custom time range' });
  const now = Date.now();
  const hour = (ago: number) => new Date(now - ago * 3_600_000).toISOString().slice(0, 16);
  await form.getByLabel('Start (UTC)').fill(hour(2));
  await form.getByLabel('End (UTC)').fill(hour(5));
  await expect(form.getByLabel('End (UTC)')).toHaveValue(hour(5));
  const apply = form.getByRole('button', { name: 'Apply' });
  // Waits until the panel has come to rest under the pointer.
  await apply.click({ trial: true });
  await apply.click();
  await expect(page).toHaveURL(/startTime=.*&endTime=/);
  const message = page.getByRole('status').filter({ hasText: 'Time range adjusted' });
  await expect(message).toContainText('Start was after end');
  await page.goto(`${crashesPage('diary')}?startTime=${hour(100)}&endTime=${hour(10)}`);
  await expect(message).toContainText('longer than 24 h');
  await page.goto(`${crashesPage('diary')}?startTime=yesterday`);
  await expect(message).toContainText('Invalid time `yesterday`');
});

test('a range without the crash does not show it', async ({ page, incident }) => {
  const day = 86_400_000;
  const before = (days: number) => new Date(Date.now() - days * day).toISOString();
  await page.goto(`${crashesPage('shop')}?startTime=${before(3)}&endTime=${before(2.5)}`);
  await expect(page.getByRole('region', { name: 'Latest crashes' }).first()).toContainText('No crashes in this time range');
  await expect(page.getByRole('region', { name: 'Insights' })).not.toContainText(incident.signature);
});
