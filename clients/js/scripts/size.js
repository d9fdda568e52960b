/** Print the gzipped size of each shipped file, as a browser loads it; fail over a limit. */
import { shippedSize, CONNECTION_LIMIT_BYTES, LIMIT_BYTES, SENDER_LIMIT_BYTES } from '../test/support/size.js';

const folders = [
  ['', 'total', LIMIT_BYTES],
  ['sender/', 'total of sender/', SENDER_LIMIT_BYTES],
  ['connection/', 'total of connection/', CONNECTION_LIMIT_BYTES],
];
for (const [folder, title, limit] of folders) {
  const { files, total } = shippedSize(folder);
  for (const { name, bytes } of files) console.log(`${String(bytes).padStart(6)}  ${folder}${name}`);
  console.log(`${String(total).padStart(6)}  ${title}, gzipped file by file (limit ${limit})`);
  if (total >= limit) process.exitCode = 1;
}
