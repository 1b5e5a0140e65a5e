// Web App Restarted, Memory Analysis, and the restarts beside the crashes.
import { crashesPage, expect, isLive, memoryPage, restartedPage, test, type Incident } from '../medic';

test('a restart appears by itself, with its reason, and no request failed', async ({ page, medic }) => {
  await page.goto(restartedPage('diary'));
  await isLive(page);
  const latest = page.getByRole('region', { name: 'Latest restarts' }).first();
  const byHand = latest.getByRole('row').filter({ hasText: 'Manual restart' });
  const before = await byHand.count();
  await medic.restart('diary', 0);
  await expect(byHand).toHaveCount(before + 1);
  await expect(byHand.first()).toContainText('Done');
  const insights = page.getByRole('region', { name: 'Insights' });
  await expect(insights).toContainText(/\d+ manual restarts?/);
  await expect(insights).toContainText(/No requests failed during \d+ restarts?/);
  const chart = page.getByRole('region', { name: 'Restarts over time' });
  await expect(chart.getByRole('img').first()).toBeVisible();
  await expect(chart.locator('.legend')).toContainText('Manual restart');
  await chart.getByText('Show as a table').click();
  await expect(chart.getByRole('table').getByRole('columnheader', { name: 'Manual restart' })).toBeVisible();
  await latest.getByRole('link', { name: 'Auto-heal history' }).click();
  await expect(page).toHaveURL(/tools\/auto-heal\?tab=history/);
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });

    test('memory is drawn against its limit, with the restarts marked and a table behind', async ({ page, medic }) => {
      // A minute of memory is written down when it is over.
      test.setTimeout(180_000);
      await medic.restart('diary', 0);
      const chart = page.getByRole('region', { name: 'Memory over time' });
      const recorded = async () => {
        await page.goto(memoryPage('diary'));
        return chart.getByRole('img').count();
      };
      await expect.poll(recorded, { timeout: 150_000, intervals: [2_000] }).toBeGreaterThan(0);
      await expect(chart.locator('.legend')).toContainText('Limit: 1.75 GiB');
      await expect(chart.locator('.legend')).toContainText(/Restart\s*\d+/);
      await expect(chart).toContainText('Zoomed in');
      await expect(page.getByRole('region', { name: 'Insights' })).toContainText(/Memory below threshold: peak .* of 1\.75 G/);
      await chart.getByText('Show as a table').click();
      const table = chart.getByRole('table');
      await expect(table.getByRole('row').filter({ hasText: /\d (KiB|MiB)/ }).first()).toBeVisible();
      await expect(table).toContainText(/Restart of .*\/0( \(×\d+\))?: manual restart by/);
    });
  });
}

test('a range without anything is said to be empty', async ({ page }) => {
  const range = '?startTime=2026-01-01T00:00&endTime=2026-01-01T01:00';
  const past = new Date(Date.now() - 20 * 24 * 3_600_000).toISOString();
  const end = new Date(Date.parse(past) + 3_600_000).toISOString();
  for (const query of [range, `?startTime=${past}&endTime=${end}`]) {
    await page.goto(`${memoryPage('diary')}${query}`);
    await expect(page.getByRole('region', { name: 'Insights' })).toContainText('No memory recorded in this time range');
    await page.goto(`${restartedPage('diary')}${query}`);
    await expect(page.getByRole('region', { name: 'Insights' })).toContainText('No restarts in this time range');
    await expect(page.getByRole('region', { name: 'Latest restarts' }).first()).toContainText('No restarts');
  }
});

test('the only request of a crash is named the suspect, and restarts stand beside the crashes', async ({ page, medic }) => {
  await medic.restart('till', 0);
  const worker = async () => {
    const { instances } = await medic.api<{ instances: { pid: number }[] }>('apps/till');
    return instances[0].pid;
  };
  const pid = await worker();
  expect(await medic.ask('till', '/crash/exit/9'), 'the suspect is not tried again').toBe(502);
  await medic.allRun('till', pid);
  type Found = Incident & { exit_code: number; in_flight_count: number };
  const suspected = async () => {
    const incidents = await medic.api<Found[]>('incidents?app=till');
    return incidents.find(({ exit_code }) => exit_code === 9);
  };
  await expect.poll(async () => (await suspected())?.in_flight_count).toBe(1);
  const found = await suspected();
  expect(found!.count, 'it killed one worker').toBe(1);

  await page.goto(`/incidents/${found!.id}`);
  await expect(page.getByRole('region', { name: 'In-flight requests' }).first()).toContainText('Likely trigger');
  const restarts = page.getByRole('region', { name: 'Restarts near these crashes' });
  await expect(restarts.getByRole('row').filter({ hasText: 'Manual restart' }).first()).toContainText('Done');
  await page.goto(crashesPage('till'));
  await expect(page.getByRole('region', { name: 'Restarts in this time range' }).getByRole('row').filter({ hasText: 'Manual restart' }).first()).toBeVisible();
  await page.goto(restartedPage('till'));
  await expect(page.getByRole('region', { name: 'Insights' })).toContainText(/\d+ restarts? after a crash/);
});

test('news leave a range alone that somebody is typing', async ({ page, medic }) => {
  await page.goto(restartedPage('diary'));
  await isLive(page);
  const range = page.locator('[data-live="range"]');
  // So that it differs from what the server sends, as it does with every minute.
  const age = () => range.evaluate((region) => region.setAttribute('data-old', ''));
  const byHand = page.getByRole('region', { name: 'Latest restarts' }).first().getByRole('row').filter({ hasText: 'Manual restart' });
  const restarted = async () => {
    const before = await byHand.count();
    await medic.restart('diary', 0);
    await expect(byHand).toHaveCount(before + 1);
  };
  await age();
  await restarted();
  await expect(range, 'an untouched one is exchanged').not.toHaveAttribute('data-old');
  await page.getByText(/^Time range \(UTC\)/).click();
  const start = page.getByLabel('Start (UTC)');
  await start.fill('2026-01-31T08:15');
  await age();
  await restarted();
  await expect(range).toHaveAttribute('data-old');
  await expect(start).toHaveValue('2026-01-31T08:15');
});
