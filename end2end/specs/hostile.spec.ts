// A worker that gives everything names which are markup: types, functions, files, threads, modules, its program, its
// environment. Nothing of it comes alive in a browser, on any page, in any title, attribute or answer.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test as base, type Page } from '@playwright/test';
import { folders, freePorts, pagesOf } from '../medic';

const runtimes = ['cpp', 'libcxx', 'dotnet', 'go', 'java', 'node', 'php', 'python', 'ruby', 'rust', 'sanitizer'];
const name = '"><img data-pwned src=x onerror=window.pwned=1>\u202e.exe';
const patience = { timeout: 60_000, intervals: [50] };

interface Incident {
  id: string;
  exception_type: string;
  count: number;
}

class Hostile {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
    private readonly door: string,
  ) {}

  static async start(): Promise<Hostile> {
    const folder = await mkdtemp(join(tmpdir(), 'medic-hostile-'));
    const [dashboard, door] = await freePorts(2);
    const program = join(folder, name);
    execFileSync('cc', ['-g', '-O1', '-o', program, join(folders.root, 'crates/lab/programs/hostile.c')]);
    const quoted = JSON.stringify;
    await writeFile(
      join(folder, 'medic.toml'),
      `[server]
listen = "127.0.0.1:${dashboard}"
[crash_monitoring]
crashes = 0
pause = "0s"
[[app]]
name = "shop"
command = [${quoted(program)}, "</code><b data-pwned>"]
environment = { ${quoted(name.replaceAll('=', ':'))} = "</td><b data-pwned>" }
listen = "127.0.0.1:${door}"
back_off = "0s"
`,
    );
    const child = spawn(join(folders.target, 'debug/medic'), ['serve', '--config', join(folder, 'medic.toml')], { stdio: 'ignore' });
    const hostile = new Hostile(child, folder, `http://127.0.0.1:${dashboard}`, `http://127.0.0.1:${door}`);
    await hostile.armed();
    return hostile;
  }

  async api<T>(path: string): Promise<T> {
    return (await (await fetch(`${this.url}/api/v1/${path}`)).json()) as T;
  }

  async armed(): Promise<void> {
    type App = { instances: { monitoring: { state: string } }[] };
    const state = async () => (await this.api<App>('apps/shop').catch(() => null))?.instances[0].monitoring.state;
    await expect.poll(state, patience).toBe('armed');
  }

  async crash(how: string): Promise<void> {
    await this.armed();
    const count = async () => (await this.api<unknown[]>('apps/shop/crashes')).length;
    const before = await count();
    await fetch(`${this.door}/crash/${how}`, { method: 'POST' });
    await expect.poll(count, patience).toBe(before + 1);
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGTERM'), 20_000);
    await ended;
    clearTimeout(late);
    await rm(this.folder, { recursive: true, force: true });
  }
}

const test = base.extend<{}, { hostile: Hostile }>({
  hostile: [
    async ({}, use) => {
      const hostile = await Hostile.start();
      await hostile.crash('native');
      for (const runtime of runtimes) for (const trick of ['markup', 'attribute']) await hostile.crash(`${runtime}/${trick}`);
      await hostile.armed();
      await use(hostile);
      await hostile.stop();
    },
    { scope: 'worker', timeout: 300_000 },
  ],
});

/** Notes whatever a name could do to a browser. */
function watch(page: Page, hostile: Hostile): string[] {
  const seen: string[] = [];
  page.on('dialog', (dialog) => {
    seen.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => seen.push(`page error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(hostile.url)) seen.push(`a foreign address: ${request.url()}`);
    else if (request.url().endsWith('/x')) seen.push(`an image: ${request.url()}`);
  });
  return seen;
}

/** What came alive in the document as it is now. */
const alive = (page: Page) =>
  page.evaluate(() => {
    const found = [...document.querySelectorAll('[data-pwned], meta[http-equiv=refresh], img, body b')].map((element) => element.outerHTML);
    for (const element of document.querySelectorAll('*'))
      for (const { name } of element.attributes) if (/^on|pwned/.test(name)) found.push(`${element.tagName} ${name}`);
    if ('pwned' in window) found.push('a script ran');
    return found;
  });

test('no name comes alive on any page', async ({ page, hostile }) => {
  test.setTimeout(180_000);
  const seen = watch(page, hostile);
  const incidents = await hostile.api<Incident[]>('incidents');
  expect(incidents.length).toBeGreaterThan(8);
  const paths = [...pagesOf('shop'), '/apps/shop?q=%3Cimg%20data-pwned%3E', ...incidents.map(({ id }) => `/incidents/${id}`)];
  for (const path of paths) {
    await page.goto(hostile.url + path);
    await expect(page.locator('.live[data-state="live"]'), path).toBeVisible();
    expect(await alive(page), path).toEqual([]);
    expect(page.url(), path).toBe(hostile.url + path);
    expect(await page.title(), path).toMatch(/ · Medic$/);
  }
  expect(seen).toEqual([]);
});

test('a title that closes itself is a title', async ({ page, hostile }) => {
  const seen = watch(page, hostile);
  const incidents = await hostile.api<Incident[]>('incidents');
  const closing = incidents.filter(({ exception_type }) => exception_type.startsWith('</title>'));
  expect(closing.length).toBeGreaterThan(0);
  for (const { id, exception_type } of closing) {
    await page.goto(`${hostile.url}/incidents/${id}`);
    expect(await page.title()).toContain(exception_type);
    await expect(page.getByRole('heading', { level: 1 })).toContainText(exception_type);
    await expect(page.locator('head title')).toHaveCount(1);
  }
  expect(seen).toEqual([]);
});

test('no answer comes alive when a browser opens it', async ({ page, hostile }) => {
  const seen = watch(page, hostile);
  const incidents = await hostile.api<Incident[]>('incidents');
  const app = '/api/v1/apps/shop';
  const paths = ['/api/v1/apps', app, `${app}/crashes`, `${app}/auto-heal/status`, '/api/v1/incidents', '/api/v1/apps/%3Cimg%20data-pwned%3E'];
  paths.push(...incidents.flatMap(({ id }) => [`/api/v1/incidents/${id}`, `/incidents/${id}/markdown`]));
  for (const path of paths) {
    const answer = await page.goto(hostile.url + path);
    expect(answer?.headers()['x-content-type-options'], path).toBe('nosniff');
    expect(await alive(page), path).toEqual([]);
    expect(page.url(), path).toBe(hostile.url + path);
  }
  expect(seen.filter((text) => !text.includes('404'))).toEqual([]);
});

test('no name comes alive when an open page is brought up to date', async ({ page, hostile }) => {
  test.setTimeout(120_000);
  const seen = watch(page, hostile);
  const [{ id, count }] = (await hostile.api<Incident[]>('incidents')).filter(({ exception_type }) => exception_type.startsWith('</title>'));
  await page.goto(`${hostile.url}/incidents/${id}`);
  await expect(page.locator('.live[data-state="live"]')).toBeVisible();
  await hostile.crash('cpp/markup');
  const now = async () => (await hostile.api<Incident>(`incidents/${id}`)).count;
  await expect.poll(now, patience).toBeGreaterThan(count);
  await expect(page.locator('[data-live=counter]')).toHaveAttribute('data-count', String(await now()), patience);
  expect(await alive(page)).toEqual([]);
  expect(seen).toEqual([]);
});
