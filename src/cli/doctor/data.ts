import { examineData as lookInto } from '../../server/examine-data.ts';
import type { Finding } from '../commands/doctor.ts';
import { explain } from '../errors.ts';

/** Whether a server could go on with what is there; a directory without data is as good as any. */
export function* examineData(directory: string): Generator<Finding> {
  const finding = (state: Finding['state'], words: string): Finding => ({ what: 'data', state, words });
  try {
    const found = lookInto(directory);
    if (found.is === 'whole') yield finding('ok', 'can be read, and is whole');
    if (found.is === 'wrong') yield finding('wrong', found.words);
    if (found.is === 'large') yield finding('note', 'too much to be checked here: the server checks what it reads');
    if (found.is === 'held') {
      yield finding('note', `process ${found.pid} holds it, and does not answer as a server: look at that process`);
    }
  } catch (error) {
    yield finding('wrong', `can't be read: ${explain(error).message}`);
  }
}
