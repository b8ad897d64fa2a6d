/**
 * A value that can't be sent, or bytes that are not a value. The message starts with the path, so that a sentence about
 * one field of a big input points at that field; `path` and `problem` let a caller name the root better than "value".
 */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  /** Where, seen from the value itself: `.rows[3].callback`, or an empty string for the whole value. */
  readonly path: string;
  /** What is wrong there and what to do, without the path. */
  readonly problem: string;

  constructor(path: string, problem: string, root = 'value') {
    super(`${root}${path} ${problem}`);
    this.path = path;
    this.problem = problem;
  }

  /** The same refusal, told of a root that the reader knows: `input 17`, `the result of task 4`. */
  about(root: string): ValueError {
    return new ValueError(this.path, this.problem, root);
  }
}
