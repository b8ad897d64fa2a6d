// The package brings libraries of many small files as one file each: reading seven hundred takes a command longer than
// anything else. In the repository `npm ci` writes the same bundles, and this makes a process use them where they are there.
import { readFileSync } from 'node:fs';
import module from 'node:module';

const folder = new URL('../../../node_modules/.cache/manyhands/libraries/', import.meta.url);

/** The file of each library, by the name under which it is imported. */
function bundles() {
  try {
    return JSON.parse(readFileSync(new URL('names.json', folder), 'utf8')).names;
  } catch {
    // In the package, and where scripts of packages may not run: all works, only slower.
    return undefined;
  }
}

const files = bundles();
if (files !== undefined) {
  module.registerHooks({
    resolve(specifier, context, next) {
      const file = files[specifier];
      return file === undefined ? next(specifier, context) : { url: new URL(file, folder).href, shortCircuit: true };
    },
  });
}
