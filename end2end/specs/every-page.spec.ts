// What holds for every page: without JavaScript, on a phone, in the dark, by keyboard.
import { expect, isLive, pagesOf, test } from '../medic';

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('every page can be read', async ({ page, incident }) => {
    for (const path of pagesOf('shop', incident.id)) {
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(200);
      await expect(page.getByRole('heading', { level: 1 }), path).toHaveCount(1);
      const text = await page.getByRole('main').innerText();
      expect(text.length, path).toBeGreaterThan(80);
      await expect(page.locator('template, noscript'), path).toHaveCount(0);
    }
    await expect(page.getByRole('region', { name: 'Stack trace' })).toContainText('price_of');
  });

  test('the search answers by the address, and Markdown by a link', async ({ page, incident }) => {
    await page.goto('/apps/shop');
    await page.getByRole('searchbox').fill('sigsegv');
    await page.getByRole('button', { name: 'Search' }).click();
    await expect(page).toHaveURL('/apps/shop?q=sigsegv');
    await expect(page.getByRole('search').getByRole('link', { name: 'Application Crashes' })).toBeVisible();
    await expect(page.getByRole('search').getByRole('status')).toHaveText('1 result');
    await expect(page.getByRole('search').getByRole('listitem')).toHaveCount(1);
    await page.goto(`/incidents/${incident.id}`);
    await page.getByRole('link', { name: 'Copy as Markdown' }).click();
    await expect(page.locator('body')).toContainText(incident.signature);
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`on a phone, ${colorScheme}`, () => {
    test.use({ colorScheme, viewport: { width: 390, height: 844 } });

    test('no page is wider than the screen', async ({ page, incident }) => {
      for (const path of pagesOf('shop', incident.id)) {
        await page.goto(path);
        const moved = await page.evaluate(() => {
          window.scrollTo({ left: 1000, behavior: 'instant' });
          return window.scrollX;
        });
        expect(moved, path).toBe(0);
      }
    });

    test('no table hides a column beside the screen', async ({ page, incident }) => {
      for (const path of pagesOf('shop', incident.id)) {
        await page.goto(path);
        await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
        const hidden = await page.evaluate(() => {
          // What is behind a chart has a column a series.
          const scrolls = [...document.querySelectorAll('.scroll:not(figure .scroll)')];
          return scrolls.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).map((scroll) => scroll.ariaLabel);
        });
        expect(hidden, path).toEqual([]);
      }
    });

    test('the incidents say their state and their number of crashes at once', async ({ page, incident }) => {
      await page.goto('/apps/shop/incidents');
      const row = page.getByRole('row').filter({ hasText: incident.signature });
      for (const cell of [row.getByText('Open', { exact: true }), row.locator('[data-label="Crashes"]')])
        await expect(cell).toBeInViewport({ ratio: 1 });
    });

    test('text stands out from what is behind it', async ({ page }) => {
      await page.goto('/apps/shop');
      const contrast = await page.getByRole('heading', { level: 1 }).evaluate((heading) => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
        const luminance = (colour: string) => {
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        let behind: Element | null = heading;
        const background = (element: Element) => getComputedStyle(element).backgroundColor;
        while (behind && /rgba\(.*, 0\)|transparent/.test(background(behind))) behind = behind.parentElement;
        const pair = [luminance(getComputedStyle(heading).color), luminance(behind ? background(behind) : 'white')].sort();
        return (pair[1] + 0.05) / (pair[0] + 0.05);
      });
      expect(contrast).toBeGreaterThan(4.5);
    });
  });
}

test('the keyboard skips to the content, and what has the focus can be seen', async ({ page }) => {
  await page.goto('/apps/shop');
  await isLive(page);
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to the content' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
  for (let stop = 0; stop < 8; stop++) {
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => {
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement!);
      return { tag: document.activeElement!.tagName, seen: (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none' };
    });
    expect(outline.tag, `stop ${stop}`).not.toBe('BODY');
    expect(outline.seen, `stop ${stop} (${outline.tag})`).toBe(true);
  }
});

test('a time shows the reader’s own local time on hover', async ({ page, incident }) => {
  await page.goto(`/incidents/${incident.id}`);
  await isLive(page);
  const time = page.locator('main time:visible').last();
  const utc = await time.getAttribute('datetime');
  const vienna = new Date(utc!).toLocaleString('en-GB', { timeZone: 'Europe/Vienna' });
  await time.hover();
  await expect(time).toHaveAttribute('title', `${vienna} local time`);
});

for (const path of ['/nowhere', '/apps/nobody', '/incidents/ffffffffffffffff', '/apps/nobody/settings']) {
  test(`${path} is not found, and says where to go`, async ({ page, expectFailure }) => {
    expectFailure(path);
    const answer = await page.goto(path);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Page not found');
    await page.getByRole('link', { name: 'All apps' }).click();
    await expect(page).toHaveURL('/');
  });
}
