import type { Farm } from '../../client/farm.ts';
import { CollectedFiles } from './collected-files.ts';
import type { CommandOutcome } from './print-commands.ts';

/** The files that the commands of a job have brought back, for who comes for them later. */
export class FilesOfJob {
  readonly #files: CollectedFiles | undefined;
  #unfetched = 0;

  constructor(farm: Farm, { files, overwrite }: { files?: string; overwrite?: true }) {
    if (files !== undefined) this.#files = new CollectedFiles(farm, { directory: files, replaces: overwrite === true });
  }

  readonly tell = async ({ value }: CommandOutcome): Promise<void> => {
    if (value?.files === undefined) return;
    if (this.#files === undefined) this.#unfetched += value.files.length;
    else await this.#files.fetch(value.files);
  };

  /** Says what there is to be said of them; false: some that were asked for could not be written. */
  finish(job: number, isTalkative: boolean): boolean {
    const count = this.#unfetched;
    if (count > 0 && isTalkative) {
      const [subject, them] = count === 1 ? ['1 collected file is', 'it'] : [`${count} collected files are`, 'them'];
      process.stderr.write(
        `manyhands: ${subject} kept by the server: manyhands results ${job} --files DIR writes ${them} below DIR\n`,
      );
    }
    const unwritten = this.#files?.unwritten;
    if (unwritten !== undefined) process.stderr.write(`manyhands: ${unwritten}\n`);
    return unwritten === undefined;
  }
}
