// SPDX-License-Identifier: MIT
// What a page downloads, in bytes of gzip: each entry as a bundler leaves it, without what loads later.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

async function bytesOf(code: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: SRC },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    outdir: '/out',
    write: false,
    external: ['mqtt', 'react', 'react/jsx-runtime', '@tanstack/react-query'],
  });
  const entry = outputFiles.find((file) => file.path.endsWith('stdin.js'));
  const chunks = outputFiles.filter((file) => file === entry || entry?.text.includes(`from"./${file.path.slice(5)}"`));
  return chunks.reduce((sum, file) => sum + gzipSync(file.contents, { level: 9 }).length, 0);
}

it.each([
  ['core without MQTT.js', 6144, "export { createEventsClient, InvoiceEvent } from './index.js'"],
  ['React layer', 2048, "export * from './react/index.js'"],
  ['lite transport', 3072, "export * from './lite/index.js'"],
] as const)('%s: at most %i bytes', async (what, budget, code) => {
  const bytes = await bytesOf(code);
  console.log(`${what}: ${bytes} bytes gzip`);
  expect(bytes).toBeGreaterThan(500);
  expect(bytes).toBeLessThanOrEqual(budget);
});
