import { crashesPage, expect, test } from '../medic';

type Flags = { crash_monitoring_enabled: boolean; auto_heal_enabled: boolean };

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'with JavaScript' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });

    test('both flags are saved, shown and obeyed', async ({ page, medic }) => {
      const flags = () => medic.api<Flags>('apps/diary');
      const [monitoring, healing] = ['Proactive crash monitoring', 'Proactive auto-heal'].map((name) =>
        page.getByRole('switch', { name }),
      );
      const save = async () => {
        await page.getByRole('button', { name: 'Save' }).click();
        await expect(page.getByRole('status').filter({ hasText: 'Saved.' })).toBeVisible();
      };
      await page.goto('/apps/diary/settings');
      await expect(monitoring).toBeChecked();
      await monitoring.uncheck();
      await healing.uncheck();
      await save();
      await expect(monitoring).not.toBeChecked();
      await expect.poll(flags).toMatchObject({ crash_monitoring_enabled: false, auto_heal_enabled: false });
      await page.goto(crashesPage('diary'));
      await expect(page.getByRole('region', { name: 'Crash monitoring' }).first()).toContainText('Opted out');
      await page.goto('/apps/diary/settings');
      await expect(healing).not.toBeChecked();
      await monitoring.check();
      await healing.check();
      await save();
      await expect.poll(flags).toMatchObject({ crash_monitoring_enabled: true, auto_heal_enabled: true });
      await page.goto(crashesPage('diary'));
      await expect(page.getByRole('region', { name: 'Crash monitoring' }).first()).toContainText('Not armed');
    });
  });
}

test('capture from the first crash is switched on and off for the worker that runs', async ({ page, medic }) => {
  const first = page.getByRole('switch', { name: 'Capture from the first crash' });
  const crashes = page.getByRole('row').filter({ hasText: 'crash_monitoring.crashes' });
  const monitoring = async () => {
    type Instance = { monitoring: { state: string } };
    return (await medic.api<{ instances: Instance[] }>('apps/diary')).instances.map(({ monitoring }) => monitoring.state);
  };
  await page.goto('/apps/diary/settings');
  await expect(first).not.toBeChecked();
  await first.check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(first).toBeChecked();
  await expect(crashes).toContainText('0');
  await expect.poll(monitoring).toEqual(['armed']);
  await first.uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(first).not.toBeChecked();
  await expect.poll(monitoring).toEqual(['counting']);
});

test('the effective configuration names its values, but no secret', async ({ page }) => {
  await page.goto('/apps/diary/settings');
  const table = page.getByRole('region', { name: 'Effective configuration' }).last();
  await expect(table.getByRole('row').filter({ hasText: 'instances' })).toContainText('1');
  expect(await page.content()).not.toContain('not for pages');
});
