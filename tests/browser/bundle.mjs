// SPDX-License-Identifier: MIT
// The page's modules for tests without a browser.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const DEMO = fileURLToPath(new URL('../../demo/', import.meta.url));
const { buildSync } = createRequire(join(DEMO, 'package.json'))('esbuild');

/** Imports one of the page's modules, or that of another folder, with all that it imports. */
export async function loadSource(name, folder = join(DEMO, 'src')) {
  const entry = join(folder, `${name}.ts`);
  const { outputFiles } = buildSync({ entryPoints: [entry], bundle: true, format: 'esm', write: false });
  const to = mkdtempSync(join(tmpdir(), 'orgcast-bundle-'));
  try {
    writeFileSync(join(to, 'bundle.mjs'), outputFiles[0].contents);
    return await import(pathToFileURL(join(to, 'bundle.mjs')));
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
}
