/**
 * `npm run screenshots`: composes a stack, fills it, and takes the pictures of the documentation with Chromium.
 * With `-- --all DIR` it also writes every page in both schemes and widths, for eyes.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { composeStack } from '#stack';
import { withPalette } from './png.ts';
import { PageWorld } from './world.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const SIZE_MAX = 200 * 1024;
const { values: flags } = parseArgs({ options: { all: { type: 'string' } } });

interface Shot {
  readonly url: string;
  readonly file: string;
  readonly width: number;
  /** Absent: the whole page. */
  readonly height?: number;
  readonly scheme: 'light' | 'dark';
}

async function take(browser: Browser, shot: Shot): Promise<string[]> {
  const faults: string[] = [];
  const page = await browser.newPage({
    viewport: { width: shot.width, height: shot.height ?? 900 },
    colorScheme: shot.scheme,
  });
  page.on('console', (message) => faults.push(message.text()));
  page.on('requestfailed', (request) => faults.push(`not loaded: ${request.url()}`));
  await page.goto(shot.url);
  writeFileSync(shot.file, withPalette(await page.screenshot({ fullPage: shot.height === undefined })));
  const wide = await page.evaluate('document.documentElement.scrollWidth');
  if (wide !== shot.width) faults.push(`it is ${String(wide)} pixels wide at ${shot.width}`);
  await page.close();
  return faults.map((fault) => `${shot.file}: ${fault}`);
}

const folder = mkdtempSync(join(tmpdir(), 'waybill-screenshots-'));
const stack = await composeStack({
  dataDir: join(folder, 'stack'),
  lockDir: join(folder, 'locks'),
  logLevel: 'error',
});
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [
    '--no-sandbox',
    '--headless',
    '--disable-gpu',
    '--disable-background-networking',
    '--no-first-run',
    '--disable-lcd-text',
  ],
});
let failed = 0;
let passed = 0;
try {
  const world = new PageWorld(stack);
  const good = await world.complete();
  const images = { image: good, doubtful: await world.doubtful(), dressed: await world.dressed(good) };
  const unsigned = await world.push('platform/base', 'bookworm');
  const at = (image: { digest: string; repository: string }): string =>
    `${stack.origins.audit}/image/${image.digest}?in=${encodeURIComponent(image.repository)}`;
  mkdirSync('docs/images', { recursive: true });
  const shots: Shot[] = [
    { url: at(good), file: 'docs/images/image-page.png', width: 1280, height: 1375, scheme: 'light' },
    {
      url: `${stack.origins.audit}/`,
      file: 'docs/images/home.png',
      width: 1280,
      height: 1200,
      scheme: 'light',
    },
  ];
  if (flags.all !== undefined) {
    mkdirSync(flags.all, { recursive: true });
    const pages = {
      home: `${stack.origins.audit}/`,
      unsigned: at(unsigned),
      hostile: at(await world.hostile()),
      ...Object.fromEntries(Object.entries(images).map(([name, image]) => [name, at(image)])),
    };
    for (const [name, url] of Object.entries(pages)) {
      for (const width of [400, 800, 1280]) {
        for (const scheme of ['light', 'dark'] as const) {
          shots.push({ url, file: join(flags.all, `${name}-${width}-${scheme}.png`), width, scheme });
        }
      }
    }
  }
  for (const shot of shots) {
    const faults = await take(browser, shot);
    const { size } = statSync(shot.file);
    if (shot.file.startsWith('docs/') && size > SIZE_MAX) faults.push(`${shot.file}: ${size} bytes`);
    for (const fault of faults) console.log(`FAIL ${fault}`);
    if (faults.length === 0) console.log(`ok   ${shot.file} (${Math.round(size / 1024)} KiB)`);
    if (faults.length === 0) passed++;
    else failed++;
  }
} finally {
  await browser.close();
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
