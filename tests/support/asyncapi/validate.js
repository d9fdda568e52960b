/** Reads an AsyncAPI document from standard input; prints what the official parser has against it, as JSON. */
import { text } from 'node:stream/consumers';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const problems = diagnostics.map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`);
console.log(JSON.stringify({ problems, operations: document?.operations().all().map((operation) => operation.id()) ?? [] }));
