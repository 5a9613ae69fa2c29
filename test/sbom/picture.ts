/**
 * `node test/sbom/picture.ts FOLDER`: takes the picture of docs/sbom.md. FOLDER holds `debian-image`, an OCI layout of
 * a debootstrapped root; the commands of the page are run there, and what they print is what the picture shows.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { withPalette } from '../page/png.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node test/sbom/picture.ts FOLDER');
  process.exit(3);
}

const TABLE_ROWS = 10;
const commands: readonly (readonly [shown: string, rows?: number])[] = [
  ['waybill sbom oci:debian-image -o cyclonedx-json=debian.cdx.json -o spdx-json@3.0=debian.spdx3.json'],
  ['waybill sbom convert debian.cdx.json -o table', TABLE_ROWS],
  ['waybill sbom score debian.cdx.json'],
];

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function shown([command, rows]: (typeof commands)[number]): string {
  const args = command.split(' ').slice(1);
  const ran = spawnSync(resolve('bin/waybill'), args, { cwd: folder, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`${command}: ${ran.stderr}`);
  const lines = `${ran.stderr}${ran.stdout}`.trimEnd().split('\n');
  const cut = rows === undefined || lines.length <= rows ? lines : [...lines.slice(0, rows), '…'];
  return `<b>$ ${escaped(command)}</b>\n${escaped(cut.join('\n'))}\n`;
}

const text = commands.map(shown).join('\n');
console.log(text.replace(/<\/?b>/g, ''));
const html = `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #12161c; }
pre { margin: 0; padding: 24px 28px; color: #c9d1d9; font: 14px/1.45 "DejaVu Sans Mono", monospace; }
b { color: #7ee2a8; font-weight: normal; }
</style><pre>${text}</pre>`;
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--headless', '--disable-gpu', '--disable-lcd-text'],
});
try {
  const page = await browser.newPage({ viewport: { width: 920, height: 200 } });
  await page.setContent(html);
  mkdirSync('docs/images', { recursive: true });
  writeFileSync('docs/images/sbom.png', withPalette(await page.screenshot({ fullPage: true })));
} finally {
  await browser.close();
}
