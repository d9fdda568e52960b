import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

export const LIMIT_BYTES = 8192;

const source = new URL('../../src/', import.meta.url);

/** Return the gzipped size of each module, as a browser without a bundler loads them. */
export function shippedSize() {
  const names = readdirSync(source).filter((name) => name.endsWith('.js')).sort();
  const files = names.map((name) => ({ name, bytes: gzipSync(readFileSync(new URL(name, source)), { level: 9 }).length }));
  return { files, total: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}
