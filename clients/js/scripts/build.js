/**
 * Write the CommonJS version of the package to dist/: one file for each entry, with its types.
 *
 * The modules are joined in the order of their imports. That is enough, because this package imports whole statements
 * only, gives each top-level name once, and has no default exports.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';

const IMPORT = /^(?:import|export) \{([^}]*)\} from '([^']+)';\n/gm;
const CLIENT_DIRECTIVE = "'use client';\n";
const source = (name) => new URL(`../src/${name}`, import.meta.url);
const target = (name) => new URL(`../dist/${name}`, import.meta.url);
const read = (name) => readFileSync(source(name), 'utf8');

/** Return the code of a module after the code of all modules that it imports. `external` maps other imports to files. */
function join(name, external, done = new Set()) {
  if (done.has(name)) return '';
  done.add(name);
  let before = '';
  const code = read(name).replace(IMPORT, (_, names, from) => {
    if (from.startsWith('.') && !external[from]) before += join(posix.join(posix.dirname(name), from), external, done);
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

/** Write the entry `name` as dist/<target>.cjs. */
function build(name, to, external = {}) {
  const code = join(`${name}.js`, external);
  const directives = code.includes(CLIENT_DIRECTIVE) ? `${CLIENT_DIRECTIVE}'use strict';\n` : "'use strict';\n";
  const exports = `module.exports = { ${exported(`${name}.js`).join(', ')} };\n`;
  writeFileSync(target(`${to}.cjs`), `${directives}\n${code.replace(CLIENT_DIRECTIVE, '')}\n${exports}`);
}

const types = (name, to) => writeFileSync(target(`${to}.d.cts`), read(`${name}.d.ts`).replace(/'\.\.?\/(\w+)\.js'/g, "'./$1.cjs'"));

mkdirSync(target(''), { recursive: true });
build('index', 'index');
build('react/index', 'react', { '../index.js': './index.cjs' });
build('sender/index', 'sender');
build('connection/index', 'connection');
types('events', 'events');
types('index', 'index');
types('react/index', 'react');
types('sender/index', 'sender');
types('connection/index', 'connection');
