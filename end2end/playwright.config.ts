// One Medic serves all specs of a run, so they run one after the other.
import { defineConfig } from '@playwright/test';
import { launchOptions } from './chromium.mjs';

export default defineConfig({
  testDir: 'specs',
  outputDir: '../target/end2end/results',
  timeout: 60_000,
  expect: { timeout: 20_000 },
  workers: 1,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  retries: 0,
  reporter: [['list']],
  use: {
    launchOptions,
    locale: 'en-GB',
    timezoneId: 'Europe/Vienna',
    trace: 'off',
    screenshot: 'only-on-failure',
  },
});
