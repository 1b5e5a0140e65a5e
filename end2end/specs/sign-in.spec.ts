// Accounts in a browser: signing in, with scripts and without, signing out everywhere, and what a page does whose session ends.
import type { Browser, Page } from '@playwright/test';
import { expect, isLive, Medic, test } from '../medic';

const password = 'correct horse battery';
const overview = '/apps/diary/categories/availability-and-performance/overview';

// A server of its own: from the first account on everybody signs in.
let own: Medic;
test.beforeAll(async () => {
  own = await Medic.start();
  await own.addAccount('alice', password, '--role', 'owner');
  await own.addAccount('bob', password, '--role', 'viewer', '--app', 'diary');
});
test.afterAll(async () => own.stop());

async function open(browser: Browser, javaScriptEnabled = true): Promise<Page> {
  // without the transitions between pages, during which nothing can be clicked
  return (await browser.newContext({ baseURL: own.url, javaScriptEnabled, reducedMotion: 'reduce' })).newPage();
}

async function signIn(page: Page, name: string, typed = password): Promise<void> {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(typed);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

for (const scripts of [true, false]) {
  test(`a person signs in on the way to a page, and out again, ${scripts ? 'with' : 'without'} scripts`, async ({ browser }) => {
    const page = await open(browser, scripts);
    await page.goto(`${overview}?restarted=busy`);
    await expect(page).toHaveURL(/\/sign-in\?to=/);
    await signIn(page, 'alice', 'a wrong password');
    await expect(page.getByRole('alert')).toHaveText('Name or password is wrong.');
    await expect(page.getByLabel('Name')).toHaveValue('alice');
    await expect(page.getByLabel('Password')).toHaveValue('');
    await signIn(page, 'alice');
    await expect(page).toHaveURL(`${own.url}${overview}?restarted=busy`);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Availability and Performance');
    await page.getByRole('link', { name: 'alice' }).click();
    await expect(page.getByText('This browser')).toBeVisible();
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    // by the form's answer, or by the page's own stream where that is quicker
    await expect(page).toHaveURL(/\/sign-in/);
    await page.goto('/');
    await expect(page).toHaveURL(`${own.url}/sign-in`);
    await page.context().close();
  });
}

test('an open page whose session ends leads to the sign-in and back', async ({ browser }) => {
  const [page, other] = [await open(browser), await open(browser)];
  for (const one of [page, other]) {
    await one.goto(overview);
    await signIn(one, 'alice');
    await isLive(one);
  }
  await other.goto('/account');
  await other.getByRole('button', { name: 'Sign out everywhere' }).click();
  await expect(other).toHaveURL(/\/sign-in/);
  await expect(page).toHaveURL(/\/sign-in\?to=/);
  await signIn(page, 'alice');
  await expect(page).toHaveURL(`${own.url}${overview}`);
  await isLive(page);
  for (const one of [page, other]) await one.context().close();
});

test('a viewer sees their app, and which role is missing', async ({ browser }) => {
  const page = await open(browser);
  await page.goto('/');
  await signIn(page, 'bob');
  await expect(page.getByRole('link', { name: 'diary' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'shop' })).toHaveCount(0);
  await page.goto(overview);
  await expect(page.getByRole('button', { name: /Restart/ })).toHaveCount(0);
  await expect(page.getByText('Restarting an instance requires the role operator.')).toBeVisible();
  await page.goto('/apps/diary/settings');
  await expect(page.getByRole('switch')).toHaveCount(0);
  await expect(page.getByText('Changing settings requires the role service-admin.')).toBeVisible();
  const foreign = await page.goto('/apps/shop');
  expect(foreign?.status()).toBe(404);
  const accounts = await page.goto('/accounts');
  expect(accounts?.status()).toBe(403);
  await expect(page.getByText('requires the role owner for all apps')).toBeVisible();
  await page.context().close();
});
