/**
 * Write the CommonJS version of the package to dist/: one file for each entry, with its types.
 *
 * The modules are joined in the order of their imports. That is enough, because this package imports whole statements
 * only, gives each top-level name once, and has no default exports.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const IMPORT = /^(?:import|export) \{([^}]*)\} from '([^']+)';\n/gm;
const source = (name) => new URL(`../src/${name}`, import.meta.url);
const target = (name) => new URL(`../dist/${name}`, import.meta.url);
const read = (name) => readFileSync(source(name), 'utf8');

/** Return the code of a module after the code of all modules that it imports. `external` maps other imports to files. */
function join(name, external, done = new Set()) {
  if (done.has(name)) return '';
  done.add(name);
  let before = '';
  const code = read(name).replace(IMPORT, (_, names, from) => {
    if (from.startsWith('./') && !external[from]) before += join(from.slice(2), external, done);
    else before += `const {${names}} = require('${external[from] ?? from}');\n`;
    return '';
  });
  return before + code.replace(/^export (?=class|function|const)/gm, '');
}

/** Return the names that a module exports. */
function exported(name) {
  const code = read(name);
  const lists = [...code.matchAll(/^export \{([^}]*)\} from/gm)].flatMap(([, names]) => names.split(','));
  return [...lists, ...[...code.matchAll(/^export (?:class|function|const) (\w+)/gm)].map(([, each]) => each)].map((each) => each.trim());
}

function build(name, external = {}) {
  const code = join(`${name}.js`, external);
  writeFileSync(target(`${name}.cjs`), `'use strict';\n\n${code}\nmodule.exports = { ${exported(`${name}.js`).join(', ')} };\n`);
}

const types = (name) => writeFileSync(target(`${name}.d.cts`), read(`${name}.d.ts`).replace(/'(\.\/\w+)\.js'/g, "'$1.cjs'"));

mkdirSync(target(''), { recursive: true });
build('index');
for (const name of ['events', 'index']) types(name);
