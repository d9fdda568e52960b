/** Print the gzipped size of each shipped file, as a browser loads it; fail over the limit. */
import { shippedSize, LIMIT_BYTES } from '../test/support/size.js';

const { files, total } = shippedSize();
for (const { name, bytes } of files) console.log(`${String(bytes).padStart(6)}  ${name}`);
console.log(`${String(total).padStart(6)}  total, gzipped file by file (limit ${LIMIT_BYTES})`);
if (total >= LIMIT_BYTES) process.exitCode = 1;
