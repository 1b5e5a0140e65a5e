import { crashesPage, expect, isLive, test } from '../medic';

test('a crash appears by itself on a page that is open', async ({ page, medic }) => {
  await page.goto(crashesPage('till'));
  await isLive(page);
  const latest = page.getByRole('region', { name: 'Latest crashes' }).first();
  await expect(latest).toContainText('No crash');
  await page.evaluate(() => Object.assign(window, { loadedOnce: true }));
  await medic.crash('till', 'abort');
  await expect(latest.getByRole('row').filter({ hasText: 'SIGABRT' })).toHaveCount(1);
  await expect(page.getByRole('region', { name: 'Insights' })).toContainText('1 crash of');
  await expect(page.getByRole('region', { name: 'Crash monitoring' }).first()).toContainText('1 crash in');
  expect(await page.evaluate(() => 'loadedOnce' in window), 'the page was not loaded again').toBe(true);
});

test('the insight of a caught crash shows the real stack, what to do, and the proof of deletion', async ({
  page,
  incident,
}) => {
  await page.goto(crashesPage('shop'));
  const insight = page.getByRole('region', { name: 'Insights' }).getByRole('group').first();
  await expect(insight).toContainText(/\d crash(es)? of SIGSEGV.* in .*price_of/);
  const stack = insight.getByRole('figure');
  const calls = await stack.locator('.frame-call code').allTextContents();
  const at = (name: string) => calls.findIndex((call) => call.includes(name));
  expect(at('price_of'), calls.join('\n')).toBe(0);
  expect(at('cart::total')).toBe(1);
  expect(at('checkout::handle_request')).toBe(2);
  await expect(stack.getByRole('listitem').first()).toContainText('inline');
  await expect(stack.getByRole('listitem').first()).toContainText(/cart\.rs:\d+/);
  await expect(insight.getByRole('heading', { name: 'Recommended actions' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Deleted memory dumps' }).first()).toContainText(incident.audit!.sha256.slice(0, 12));
  await expect(page.getByRole('region', { name: 'Crash monitoring' }).first()).toContainText('Paused');
  await expect(page.locator('svg.chart, figure svg').first()).toBeVisible();
  await insight.getByRole('link', { name: 'Open incident' }).click();
  await expect(page).toHaveURL(`/incidents/${incident.id}`);
});

test('an incident has an address of its own, with the requests in flight and nothing private', async ({
  page,
  incident,
}) => {
  await page.goto(`/incidents/${incident.id}`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/crash(es)? of SIGSEGV/);
  await expect(page.getByRole('region', { name: 'Stack trace' })).toContainText('price_of');
  const inFlight = page.getByRole('region', { name: 'In-flight requests' }).first();
  await expect(inFlight.getByRole('row').filter({ hasText: '/slow' })).toHaveCount(1);
  await expect(inFlight).toContainText('received 502');
  const text = (await page.textContent('body')) ?? '';
  for (const secret of ['jane@example.org', 'customer', 'not for pages']) expect(text).not.toContain(secret);
});

test('an incident is resolved with what fixes it, and reopened', async ({ page, incident }) => {
  await page.goto(`/incidents/${incident.id}`);
  const state = page.locator('[data-live="facts"]');
  const change = page.getByText('Resolve or ignore this incident');
  await change.click();
  await page.getByLabel('Fixed in').fill('cart 1.4.2');
  await page.getByRole('button', { name: 'Resolve' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Incident changed.' })).toBeVisible();
  await expect(state).toContainText('Resolved');
  await expect(state).toContainText('cart 1.4.2');
  await change.click();
  await page.getByRole('button', { name: 'Reopen' }).click();
  await expect(state).toContainText('Open');
});

test('crashes with only a signal known are counted with the captured one, separated, and joined again', async ({
  page,
  incident,
}) => {
  await page.goto(`/incidents/${incident.id}`);
  const facts = page.locator('[data-live="facts"]');
  await expect(facts).toContainText(/\d+: 1 captured, \d+ probably the same \(only the signal is known\)/);
  const part = page.getByText('Crashes with only a signal known');
  await part.click();
  await page.getByRole('button', { name: 'Separate' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Incident changed.' })).toBeVisible();
  await expect(facts).not.toContainText('probably the same');
  await page.goto('/apps/shop/incidents');
  await expect(page.getByRole('row').filter({ hasText: 'SIGSEGV' })).toHaveCount(2);
  await page.getByRole('link', { name: /^SIGSEGV \| lab-shop$/ }).click();
  await expect(page.getByText('Somebody separated these crashes')).toBeVisible();
  await page.getByRole('link', { name: incident.id }).click();
  await part.click();
  await page.getByRole('button', { name: 'Join' }).click();
  await expect(facts).toContainText('probably the same');
});

test('an incident is copied as Markdown', async ({ page, context, incident }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`/incidents/${incident.id}`);
  await isLive(page);
  await page.getByRole('link', { name: 'Copy as Markdown' }).click();
  await expect(page.getByText('Copied as Markdown')).toBeVisible();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain(incident.signature);
  expect(text).toContain('price_of');
  expect(text).toContain(incident.id);
  await expect(page).toHaveURL(`/incidents/${incident.id}`);
});

test('a runtime’s own last words give the type, and the message stays on the disk', async ({ page, medic }) => {
  await medic.crash('till', 'panic/the-card-of-jane-is-declined');
  await page.goto(crashesPage('till'));
  const insight = page.getByRole('region', { name: 'Insights' }).getByRole('group').filter({ hasText: /panic/i });
  await expect(insight.first()).toContainText('cancel_order');
  expect(await page.content()).not.toContain('declined');
  expect(await medic.crashLog('till'), 'the message is in the local log').toContain('declined');
});
