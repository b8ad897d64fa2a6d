// Draws the state tables of src/scheduler/transitions.ts into SCHEDULER.md. Run it after changing a table; a test
// checks that it was.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { drawInto } from '../src/scheduler/transitions.ts';

const file = path.join(import.meta.dirname, '../src/scheduler/SCHEDULER.md');
writeFileSync(file, drawInto(readFileSync(file, 'utf8')));
