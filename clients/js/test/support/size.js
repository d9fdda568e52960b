import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

export const LIMIT_BYTES = 8192;
/** Of `sender/` alone: it also loads three small modules of the core. */
export const SENDER_LIMIT_BYTES = 7168;
/** Of `connection/` alone: it also loads the core. */
export const CONNECTION_LIMIT_BYTES = 6144;

const source = new URL('../../src/', import.meta.url);

/** Return the gzipped size of each module of a folder, as a browser without a bundler loads them. */
export function shippedSize(folder = '') {
  const within = new URL(folder, source);
  const names = readdirSync(within).filter((name) => name.endsWith('.js')).sort();
  const files = names.map((name) => ({ name, bytes: gzipSync(readFileSync(new URL(name, within)), { level: 9 }).length }));
  return { files, total: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}
