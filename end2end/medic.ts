// What every spec starts from: a real `medic serve` with apps of the lab, and a page that may log no error.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test as base, expect, type Page } from '@playwright/test';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'target');
/** Where the workspace is, and what was built of it. */
export const folders = { root, target };
const patience = { timeout: 60_000, intervals: [100] };

/** Apps and what they are for: `shop` is crashed until the debugger catches it, `till` now and then, `diary` never. */
const apps = { shop: 2, till: 1, diary: 1 };
export type App = keyof typeof apps;

export interface Incident {
  id: string;
  signature: string;
  count: number;
  audit: { sha256: string } | null;
}

export class Medic {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** The dashboard's origin. */
    readonly url: string,
    private readonly doors: Record<App, string>,
  ) {}

  static async start(): Promise<Medic> {
    const folder = await mkdtemp(join(tmpdir(), 'medic-end2end-'));
    const [dashboard, shop, till, diary] = await freePorts(4);
    const ports = { shop, till, diary };
    await writeFile(join(folder, 'medic.toml'), configuration(folder, dashboard, ports));
    const child = spawn(join(target, 'debug/medic'), ['serve', '--config', join(folder, 'medic.toml')], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (log = (log + data).slice(-20_000)));
    const doors = { shop: `http://127.0.0.1:${shop}`, till: `http://127.0.0.1:${till}`, diary: `http://127.0.0.1:${diary}` };
    const medic = new Medic(child, folder, `http://127.0.0.1:${dashboard}`, doors);
    try {
      for (const app of Object.keys(apps) as App[]) await medic.allRun(app);
    } catch (error) {
      await medic.stop();
      throw new Error(`medic did not start: ${error}\n${log}`);
    }
    return medic;
  }

  /** Asks the API. */
  async api<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1/${path}`);
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** Adds an account, as the command line does. */
  async addAccount(name: string, password: string, ...rights: string[]): Promise<void> {
    const words = ['user', 'add', name, ...rights, '--password-file', '-', '--config', join(this.folder, 'medic.toml')];
    const child = spawn(join(target, 'debug/medic'), words, { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    child.stdin.end(password);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`medic user add ${name}: ${said}`);
  }

  /** Asks an app at its front door. */
  async ask(app: App, path: string): Promise<number> {
    const answer = await fetch(`${this.doors[app]}${path}`);
    await answer.arrayBuffer();
    return answer.status;
  }

  /** Asks for a path until Medic takes it for the app's own, and names it when a worker crashes. */
  async askOften(app: App, path: string): Promise<void> {
    for (let time = 0; time < 100; time++) expect(await this.ask(app, path)).toBe(200);
  }

  /** Restarts one instance as the API does, and waits until it is recorded. */
  async restart(app: App, instance: number): Promise<void> {
    const count = async () => (await this.api<unknown[]>(`apps/${app}/restarts`)).length;
    const before = await count();
    const answer = await fetch(`${this.url}/api/v1/apps/${app}/instances/${instance}/restart`, { method: 'POST' });
    if (answer.status !== 202) throw new Error(`the restart was answered ${answer.status}: ${await answer.text()}`);
    await expect.poll(count, patience).toBeGreaterThan(before);
    await this.allRun(app);
  }

  /** Changes the configuration's file and has Medic read it again; `holds` says whether it has. */
  async reconfigure(change: (toml: string) => string, holds: () => Promise<boolean>): Promise<void> {
    const file = join(this.folder, 'medic.toml');
    await writeFile(file, change(await readFile(file, 'utf8')));
    this.child.kill('SIGHUP');
    await expect.poll(holds, patience).toBe(true);
  }

  /** Is it an app of Medic's? */
  async knows(app: App): Promise<boolean> {
    return (await fetch(`${this.url}/api/v1/apps/${app}`)).ok;
  }

  /** Waits until every instance runs, none of them the worker `gone`. */
  async allRun(app: App, gone?: number): Promise<void> {
    const states = async () => {
      type Instance = { state: string; pid: number | null };
      const { instances } = await this.api<{ instances: Instance[] }>(`apps/${app}`).catch(() => ({ instances: [] }));
      return instances.map(({ state, pid }) => (pid === gone && gone !== undefined ? 'gone' : state));
    };
    await expect.poll(states, patience).toEqual(Array(apps[app]).fill('running'));
  }

  /** Crashes the worker that the cookie leads to, with a request in flight, and waits for its replacement. Both are POSTs: a
   * GET of several in flight is tried again, and this one would crash the next worker too. */
  async crash(app: App, how: string, cookie?: string): Promise<string | undefined> {
    const headers: Record<string, string> = cookie ? { cookie } : {};
    const door = this.doors[app];
    const first = await fetch(`${door}/env`, { headers });
    const { pid } = (await first.json()) as { pid: number };
    const set = first.headers.getSetCookie().find((text) => text.startsWith('ARRAffinity='));
    const affinity = cookie ?? set?.split(';')[0];
    if (affinity) headers.cookie = affinity;
    const slow = fetch(`${door}/slow?ms=20000&customer=jane@example.org`, { method: 'POST', headers });
    // The slow request and the question itself.
    const inFlight = async () => Number(await (await fetch(`${door}/in-flight`, { headers })).text());
    await expect.poll(inFlight, patience).toBe(2);
    const fatal = await fetch(`${door}/crash/${how}`, { method: 'POST', headers });
    expect(fatal.status, 'a request whose worker dies').toBe(502);
    expect((await slow).status, 'a request in flight').toBe(502);
    await this.allRun(app, pid);
    return affinity;
  }

  /** Crashes one instance of an app until the debugger has caught one, and returns that incident. */
  async crashUntilCaught(app: App, how: string): Promise<Incident> {
    let cookie: string | undefined;
    await this.askOften(app, '/slow?ms=0');
    for (let crash = 0; crash < 12; crash++) {
      const caught = await this.caught(app);
      if (caught) return caught;
      cookie = await this.crash(app, how, cookie);
      await this.settled(app);
    }
    const caught = await this.caught(app);
    if (!caught) throw new Error('12 crashes, and the debugger caught none');
    return caught;
  }

  /** Waits while a debugger is being attached or a dump analysed. */
  async settled(app: App): Promise<void> {
    type Instance = { monitoring: { state: string } };
    const busy = async () => {
      const { instances } = await this.api<{ instances: Instance[] }>(`apps/${app}`);
      return instances.filter(({ monitoring }) => ['arming', 'analysing'].includes(monitoring.state)).length;
    };
    await expect.poll(busy, patience).toBe(0);
  }

  private async caught(app: App): Promise<Incident | undefined> {
    return (await this.api<Incident[]>(`incidents?app=${app}`)).find(({ audit }) => audit);
  }

  /** The local log of the latest crashes, the only place that has their messages. */
  async crashLog(app: App): Promise<string> {
    const folder = join(this.folder, 'data', 'apps', app, 'logfiles', 'crashdumps');
    const files = (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8'));
    return (await Promise.all(files)).join('\n');
  }

  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGTERM'), 20_000);
      const never = setTimeout(() => this.child.kill('SIGKILL'), 40_000);
      await ended;
      clearTimeout(late);
      clearTimeout(never);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

function configuration(folder: string, dashboard: number, ports: Record<App, number>): string {
  const quoted = JSON.stringify;
  const app = (name: App) => `
[[app]]
name = ${quoted(name)}
command = [${quoted(join(target, 'debug/lab-shop'))}]
directory = ${quoted(folder)}
environment = { SECRET = "not for pages" }
listen = "127.0.0.1:${ports[name]}"
instances = ${apps[name]}
stop_grace = "5s"
`;
  return `[server]
listen = "127.0.0.1:${dashboard}"
data_dir = ${quoted(join(folder, 'data'))}
${(Object.keys(apps) as App[]).map(app).join('')}`;
}

/** Ports that were free a moment ago; all are held until the last is found, so that none comes twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Every page of one app, and the incident's. */
export function pagesOf(app: App, incident?: string): string[] {
  const category = `/apps/${app}/categories/availability-and-performance`;
  const detectors = ['application-crashes', 'web-app-restarted', 'memory-analysis', 'process-full-list'];
  const pages = ['/', `/apps/${app}`, `${category}/overview`, ...detectors.map((id) => `${category}/detectors/${id}`)];
  pages.push(`/apps/${app}/incidents`, `/apps/${app}/settings`);
  pages.push(...['custom', 'proactive', 'history'].map((tab) => `${autoHealPage(app)}?tab=${tab}`));
  pages.push('/shares', `${category}/detectors/application-crashes/share`);
  return incident ? [...pages, `/incidents/${incident}/share`, `/incidents/${incident}`] : pages;
}

export const autoHealPage = (app: App) => `/apps/${app}/categories/diagnostic-tools/tools/auto-heal`;

export const restartedPage = (app: App) =>
  `/apps/${app}/categories/availability-and-performance/detectors/web-app-restarted`;

export const memoryPage = (app: App) =>
  `/apps/${app}/categories/availability-and-performance/detectors/memory-analysis`;

export const crashesPage = (app: App) =>
  `/apps/${app}/categories/availability-and-performance/detectors/application-crashes`;

/** Waits until the islands are alive and hear the server's news. */
export async function isLive(page: Page): Promise<void> {
  await expect(page.locator('.live[data-state="live"]')).toBeVisible();
}

/** Fails the test on whatever the browser complains of. Call `expectFailure` for addresses that are meant to fail. */
export const test = base.extend<
  { page: Page; expectFailure: (path: string) => void; complaints: { texts: string[]; expected: string[] } },
  { medic: Medic; incident: Incident }
>({
  medic: [
    async ({}, use) => {
      const medic = await Medic.start();
      await use(medic);
      await medic.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  // The one crash that the debugger caught; made by the first spec that asks for it.
  incident: [
    async ({ medic }, use) => use(await medic.crashUntilCaught('shop', 'null')),
    { scope: 'worker', timeout: 180_000 },
  ],
  baseURL: async ({ medic }, use) => use(medic.url),
  complaints: async ({}, use) => {
    const complaints = { texts: [] as string[], expected: [] as string[] };
    await use(complaints);
    const unexpected = complaints.texts.filter((text) => !complaints.expected.some((path) => text.endsWith(path)));
    expect(unexpected, 'the browser complains').toEqual([]);
  },
  expectFailure: async ({ complaints }, use) => use((path) => complaints.expected.push(path)),
  page: async ({ page, medic, complaints, javaScriptEnabled }, use) => {
    page.on('console', (message) => {
      const { url } = message.location();
      if (['error', 'warning'].includes(message.type())) complaints.texts.push(`${message.type()}: ${message.text()} ${url}`);
    });
    page.on('pageerror', (error) => complaints.texts.push(`page error: ${error.message}`));
    page.on('response', (response) => {
      if (response.url().startsWith(medic.url) && response.status() >= 400)
        complaints.texts.push(`${response.status()}: ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? '';
      // Leaving a page ends its stream of events and whatever it was just fetching. Scripts that are off are blocked so.
      const meant = why === 'net::ERR_ABORTED' || (why === 'csp' && javaScriptEnabled === false);
      if (request.url().startsWith(medic.url) && !meant) complaints.texts.push(`${why}: ${request.url()}`);
      if (!request.url().startsWith(medic.url)) complaints.texts.push(`a foreign address: ${request.url()}`);
    });
    await use(page);
  },
});

export { expect };
