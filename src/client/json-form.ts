/** Where a text stops being JSON: engines say it in their own ways, or not at all. */
export { breakOf } from '../protocol/json-text.ts';
/** The value that its JSON form stands for: for programs that find values in files and on command lines. */
export { revive } from '../protocol/values/value.ts';
