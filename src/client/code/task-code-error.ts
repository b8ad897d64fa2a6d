/** Code that can't become a task. The message is one sentence or two for the person who wrote it; its stack is noise. */
export class TaskCodeError extends Error {
  override readonly name = 'TaskCodeError';
}
