/** The task: an epidemic in a town, from its first ten patients to its end. */

export interface Setting {
  /** How many others a patient would infect if nobody were immune. */
  readonly spread: number;
  /** Share of the people who are vaccinated, 0 to 1. */
  readonly vaccinated: number;
}

export interface Course extends Setting {
  /** Share of all people who fell ill. */
  readonly ill: number;
  /** Share of all people who were ill on the worst day. */
  readonly peak: number;
}

const PEOPLE = 20_000;
const DAYS_ILL = 5;
const TOWNS = 3;

/** Patients infect by chance, so the course is the mean of several towns; chance is drawn from the setting, so that it is the same anywhere. */
export default function epidemic(setting: Setting): Course {
  let ill = 0;
  let peak = 0;
  for (let town = 0; town < TOWNS; town++) {
    const course = oneTown(setting, randomOf(town + 1e3 * setting.spread + 1e6 * setting.vaccinated));
    ill += course.ill / TOWNS;
    peak += course.peak / TOWNS;
  }
  return { ...setting, ill, peak };
}

function oneTown({ spread, vaccinated }: Setting, random: () => number): { ill: number; peak: number } {
  let open = Math.round(PEOPLE * (1 - vaccinated)) - 10;
  let patients = 10;
  let recovered = 0;
  let peak = patients;
  const perDay = spread / DAYS_ILL;
  while (patients > 0) {
    const caught = drawn(open, 1 - Math.exp((-perDay * patients) / PEOPLE), random);
    const better = drawn(patients, 1 / DAYS_ILL, random);
    open -= caught;
    patients += caught - better;
    recovered += better;
    peak = Math.max(peak, patients);
  }
  return { ill: recovered / PEOPLE, peak: peak / PEOPLE };
}

/** How many of so many it happens to, if it happens to each with this chance. */
function drawn(many: number, chance: number, random: () => number): number {
  let count = 0;
  for (let i = 0; i < many; i++) if (random() < chance) count++;
  return count;
}

/** Numbers from 0 to 1 that are the same for the same seed (xorshift). */
function randomOf(seed: number): () => number {
  let state = (Math.imul(seed, 2_654_435_761) ^ 0x9e37_79b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
