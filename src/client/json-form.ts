/** The value that its JSON form stands for: for programs that find values in files and on command lines. */
export { revive } from '../protocol/values/value.ts';
