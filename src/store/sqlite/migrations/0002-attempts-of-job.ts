/** The attempts of a whole job, in the order in which they were written (D17). */
export const attemptsOfJob = `
CREATE INDEX attempts_of_job ON attempts (job);
`;
