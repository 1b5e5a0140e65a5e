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
