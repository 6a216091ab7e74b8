// SPDX-License-Identifier: MIT
// Bundles the page into dist/, which Mosquitto then serves by its http_dir.
import { cp, mkdir, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const here = new URL('.', import.meta.url);
const dist = new URL('dist/', here);

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await cp(new URL('page/', here), dist, { recursive: true });
// Mosquitto 2.0 sends no content types, and a browser runs a module script only with the right one:
// so this is one classic script.
await build({
  absWorkingDir: new URL('.', here).pathname,
  entryPoints: ['src/main.ts'],
  outfile: 'dist/main.js',
  bundle: true,
  format: 'iife',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  sourcemap: false,
  legalComments: 'none',
  logLevel: 'warning',
});
