// How an open page hears of what changes.
import { expect, isLive, test } from '../medic';

test('an open page is fetched again when something changed, and not before', async ({ page, medic }) => {
  const fetched: string[] = [];
  page.on('request', (request) => {
    if (request.resourceType() === 'fetch') fetched.push(request.url());
  });
  await page.goto('/apps/diary/categories/availability-and-performance/overview');
  await isLive(page);
  // A stream that is opened later is told the same number, and later.
  const told = await page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const stream = new EventSource('/events');
        stream.addEventListener('changed', (event) => {
          stream.close();
          resolve(event.data);
        });
      }),
  );
  await expect(page.locator('[data-number]')).toHaveAttribute('data-number', told);
  expect(fetched, 'the page shows what the stream tells').toEqual([]);
  await medic.restart('diary', 0);
  await expect.poll(() => fetched.length).toBeGreaterThan(0);
});

test('a page of an app that is removed says so, and goes on when the app is there again', async ({ page, medic, expectFailure }) => {
  const path = '/apps/diary/categories/availability-and-performance/overview';
  expectFailure(path);
  await page.goto(path);
  await isLive(page);
  const verdict = page.locator('[data-live="verdict"]');
  await expect(verdict).toContainText('Healthy');
  let removed = '';
  const remove = (toml: string) => {
    const start = toml.indexOf('[[app]]\nname = "diary"');
    removed = toml.slice(start);
    return toml.slice(0, start);
  };
  await medic.reconfigure(remove, async () => !(await medic.knows('diary')));
  await expect(verdict).toContainText('App "diary" is not in the configuration');
  await expect(page.getByText('Not updated')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 }), 'what it said stays').toHaveText('Availability and Performance');
  await expect(verdict.getByRole('link', { name: 'All apps' })).toHaveAttribute('href', '/');
  await medic.reconfigure((toml) => toml + removed, () => medic.knows('diary'));
  await medic.allRun('diary');
  await expect(verdict).toContainText('Healthy');
  await isLive(page);
});
