/** A program of this folder as one file, as what is published is, with the threads it may start beside it. */
import { join } from 'node:path';
import { build } from 'esbuild';

export async function bundleProgram(source: string, folder: string): Promise<string> {
  const program = join(folder, 'program.cjs');
  const worker = join(folder, 'layer-worker.cjs');
  for (const [entry, outfile] of [
    [source, program],
    ['src/sbom/layer-worker.ts', worker],
  ] as const) {
    await build({
      entryPoints: [entry],
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'cjs',
      target: 'node24',
      logLevel: 'warning',
      define: {
        'import.meta.url': '__here',
        'import.meta.dirname': '__dirname',
        'import.meta.main': 'false',
      },
      banner: { js: "const __here = require('node:url').pathToFileURL(__filename).href;" },
    });
  }
  return program;
}
