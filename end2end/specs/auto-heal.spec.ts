// The Auto-Heal tool: the user's own rules, the proactive ones, and what both did.
import { autoHealPage, expect, isLive, test } from '../medic';
import type { Page } from '@playwright/test';

interface Rules {
  autoHealEnabled: boolean;
  autoHealRules: {
    triggers: Record<string, unknown>;
    actions: { actionType: string; minProcessExecutionTime: string };
  };
}
const none = { autoHealEnabled: false, autoHealRules: { triggers: {}, actions: { actionType: 'Recycle' } } };

const step = (page: Page, name: string) => page.getByRole('group', { name, exact: true });
const said = (page: Page) => page.getByRole('main').getByRole('status');

test.afterEach(async ({ medic }) => {
  // The app is everybody's: it keeps no rule.
  const answer = await fetch(`${medic.url}/api/v1/apps/diary/auto-heal`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(none),
  });
  expect(answer.ok, 'the rules are taken back').toBe(true);
});

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    // Playwright waits inside the page when a transition lies over a button, which without JavaScript has no end.
    test.use({ javaScriptEnabled, contextOptions: { reducedMotion: 'reduce' } });

    test('rules are typed, reviewed, saved, exported and switched off', async ({ page, medic }) => {
      const rules = () => medic.api<Rules>('apps/diary/auto-heal');
      await page.goto(autoHealPage('diary'));
      await expect(page.getByRole('region', { name: 'Current rules' }).first()).toContainText('No custom rules');
      const requests = step(page, 'Request count');
      await requests.getByLabel('Requests, at least').fill('100000');
      await requests.getByLabel('Within').fill('00:01:00');
      const status = step(page, 'Status code 1');
      await status.getByRole('spinbutton', { name: 'Status code' }).fill('500');
      await status.getByLabel('Requests, at least').fill('50');
      await status.getByLabel('Within').fill('00:02:00');
      await page.getByRole('button', { name: 'Add row for Status code', exact: true }).click();
      const second = step(page, 'Status code 3');
      await second.getByRole('spinbutton', { name: 'Status code' }).fill('503');
      await second.getByLabel('Requests, at least').fill('60');
      await second.getByLabel('Within').fill('00:02:00');
      await page.getByLabel('Log an event').check();
      await page.getByLabel('Minimum uptime').fill('00:10:00');
      await page.getByRole('button', { name: 'Review' }).last().click();

      const comparison = page.getByRole('region', { name: 'Current beside new' });
      await expect(comparison.getByRole('row').filter({ hasText: 'Request count' })).toContainText('100000 requests within 1 min');
      await expect(comparison.getByRole('row').filter({ hasText: 'Status code 2' })).toContainText('answered with 503');
      await expect(page.getByRole('region', { name: 'Dry run over the last 24 hours' }).first()).toBeVisible();
      expect((await rules()).autoHealEnabled, 'a review changes nothing').toBe(false);
      expect(page.url(), 'no draft in the address').not.toContain('100000');

      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await expect(said(page).filter({ hasText: 'no worker was restarted' })).toBeVisible();
      const saved = await rules();
      expect(saved.autoHealEnabled).toBe(true);
      expect(saved.autoHealRules.actions).toMatchObject({ actionType: 'LogEvent', minProcessExecutionTime: '00:10:00' });
      expect(saved.autoHealRules.triggers).toMatchObject({
        requests: { count: 100000, timeInterval: '00:01:00' },
        statusCodes: [{ status: 500, count: 50 }, { status: 503, count: 60 }],
      });
      const exported = await page.request.get(
        (await page.getByRole('link', { name: 'Export as web.config' }).getAttribute('href'))!,
      );
      expect(await exported.text()).toContain('<requests count="100000"');

      await page.getByRole('button', { name: 'Disable' }).click();
      await expect(said(page).filter({ hasText: 'Custom rules disabled' })).toBeVisible();
      expect(await rules()).toMatchObject({ autoHealEnabled: false, autoHealRules: saved.autoHealRules });
    });

    test('what does not fit is said beside its field, and nothing that was typed is lost', async ({ page, medic, expectFailure }) => {
      await page.goto(autoHealPage('diary'));
      const memory = page.getByLabel('Private bytes above, in KiB');
      await memory.fill('1000');
      const range = step(page, 'Status code range 1');
      await range.getByLabel('Status codes').fill('530-500');
      await range.getByLabel('Requests, at least').fill('5');
      await range.getByLabel('Within').fill('00:01:00');
      // The browser would refuse by itself; the server is asked regardless.
      await page.locator('form.rules').evaluate((form: HTMLFormElement) => (form.noValidate = true));
      for (const fragment of ['', '#review']) expectFailure(autoHealPage('diary') + fragment);
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await expect(page.getByRole('alert').filter({ hasText: '2 entries do not fit' })).toBeVisible();
      await expect(memory).toHaveValue('1000');
      await expect(memory).toHaveAccessibleDescription(/Must be 102401 to 33554432 \(got 1000\)/);
      await expect(memory).toHaveAttribute('aria-invalid', 'true');
      await expect(range.getByLabel('Status codes')).toHaveValue('530-500');
      await expect(range.getByLabel('Status codes')).toHaveAccessibleDescription(/two statuses from 100 to 530/);
      await page.getByRole('alert').getByRole('link', { name: 'Private bytes' }).click();
      await expect(page).toHaveURL(/#triggers-private_bytes_kib$/);
      expect((await medic.api<Rules>('apps/diary/auto-heal')).autoHealRules.triggers).toEqual({});
    });

    test('a web.config fills the form, and what is none leaves it alone', async ({ page, expectFailure }) => {
      await page.goto(autoHealPage('diary'));
      const text = page.getByLabel('web.config, its <monitoring> element');
      const fill = async (pasted: string) => {
        if (!(await text.isVisible())) await page.getByText('Import from web.config').click();
        await text.fill(pasted);
        await page.getByRole('button', { name: 'Import' }).click();
      };
      await step(page, 'Request count').getByLabel('Requests, at least').fill('7');
      for (const fragment of ['', '#review']) expectFailure(autoHealPage('diary') + fragment);
      await fill('<html>"&</html>');
      await expect(page.getByRole('alert')).toContainText('Nothing was imported');
      await expect(text).toHaveValue('<html>"&</html>');
      await expect(step(page, 'Request count').getByLabel('Requests, at least')).toHaveValue('7');
      await fill(
        '<monitoring><triggers><slowRequests timeTaken="00:00:30" count="5" timeInterval="00:02:00"/></triggers>' +
          '<actions value="LogEvent"/></monitoring>',
      );
      await expect(said(page).filter({ hasText: 'Nothing is saved yet' })).toBeVisible();
      await expect(step(page, 'Slow requests').getByLabel('Each taking, at least')).toHaveValue('00:00:30');
      await expect(page.getByLabel('Log an event')).toBeChecked();
    });

    test('the proactive rules show what they compare with and what each instance has', async ({ page }) => {
      await page.goto(`${autoHealPage('diary')}?tab=proactive`);
      await expect(page.getByRole('region', { name: 'State' }).first()).toContainText('On');
      await expect(page.getByRole('region', { name: 'Restart limit' }).first()).toContainText(/Restarts: 0 of 3 in the last 30 min/);
      await expect(page.getByRole('region', { name: 'Rules', exact: true })).toContainText('above 90% of its limit for more than 30 s');
      const row = page.getByRole('row').filter({ hasText: 'Percent memory' });
      await expect(row).toContainText('1.57 GiB');
      await expect(row.getByRole('meter')).toBeVisible();
      await expect(page.getByRole('button', { name: /Resume proactive rules|Reset counter/ })).toHaveCount(0);
    });
  });
}

test('on a phone what the proactive rules see is read without scrolling sideways', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${autoHealPage('diary')}?tab=proactive`);
  const readings = page.getByRole('region', { name: 'Proactive rules' });
  await expect(readings).toContainText('200 s or longer');
  const overflow = await readings.evaluate((region) => region.scrollWidth - region.clientWidth);
  expect(overflow, 'nothing lies beside the screen').toBe(0);
});

test('an instance is restarted by hand, and the history says so and what it cost', async ({ page, medic }) => {
  const pid = async () => (await medic.api<{ instances: { pid: number }[] }>('apps/diary')).instances[0]!.pid;
  const before = await pid();
  await page.goto('/apps/diary/categories/availability-and-performance/overview');
  const button = page.getByRole('button', { name: 'Restart instance 0' });
  await button.click();
  await expect(said(page).filter({ hasText: 'Restart started' })).toBeVisible();
  await medic.allRun('diary', before);
  await isLive(page);
  await expect(button).toBeVisible();
  expect(await pid()).not.toBe(before);

  await page.goto(`${autoHealPage('diary')}?tab=history`);
  const restarts = page.getByRole('region', { name: 'Restarts', exact: true }).first();
  const card = restarts.getByRole('group').filter({ hasText: 'Manual restart' }).first();
  await expect(card).toContainText('Restarted');
  await card.locator('summary').first().click();
  await expect(card).toContainText('Requests failed');
  await expect(card.locator('dl div').filter({ hasText: 'Requests failed' })).toContainText('0');
  await page.getByLabel('Rule or reason').selectOption('Percent memory');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(restarts).toContainText('No matching restarts');
  await expect(page.getByLabel('Rule or reason')).toHaveValue('percent-memory');
  await page.getByRole('link', { name: 'Show all' }).click();
  await expect(restarts).toContainText('Manual restart');
});

test('a rule that only logs leaves its evidence in the history', async ({ page, medic }) => {
  const rules = {
    autoHealEnabled: true,
    autoHealRules: {
      triggers: { requests: { count: 5, timeInterval: '00:01:00' } },
      actions: { actionType: 'LogEvent', minProcessExecutionTime: '00:00:00' },
    },
  };
  const answer = await fetch(`${medic.url}/api/v1/apps/diary/auto-heal`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(rules),
  });
  expect(answer.status).toBe(200);
  await page.goto(`${autoHealPage('diary')}?tab=history`);
  const events = page.getByRole('region', { name: 'Triggered without restart' });
  const card = events.getByRole('group').filter({ hasText: 'Request count' }).first();
  // The rule sees the requests once a second, and only those that came after it was set.
  await expect(async () => {
    for (let request = 0; request < 6; request++) await medic.ask('diary', '/env');
    await page.reload();
    await expect(card).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
  await card.locator('summary').first().click();
  await expect(card).toContainText('Logged');
  await expect(card.getByRole('img', { name: /samples/ })).toBeVisible();
  await card.getByText('Show samples as a table').click();
  await expect(card.getByRole('region', { name: 'Samples' }).getByRole('row').nth(1)).toContainText(/\d+ requests?/);
  await expect(card.getByRole('region', { name: 'Other rules at that time' })).toContainText('Percent memory');
});
