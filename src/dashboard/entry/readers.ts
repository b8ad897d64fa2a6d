/** What only the page that runs a function needs, and which therefore only it loads. */
export { taskModule } from '../readers/code.ts';
export { readTable } from '../readers/table.ts';
