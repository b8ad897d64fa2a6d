/** What whoever builds can do something about: said in one sentence, without a trace. */
export class BuildFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BuildFailure';
  }
}

/** Runs a step of a build as a program of its own. */
export async function runStep(step: () => Promise<void> | void): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof BuildFailure)) throw error;
    console.error(`os: ${error.message}`);
    process.exitCode = 1;
  }
}
