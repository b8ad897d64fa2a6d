// Waits or works a number of times, one after the other: what a slot could do if nothing had to be handed out.
// Usage: node bare.ts COUNT MILLIS. Prints a line when it is ready, starts when told, prints its milliseconds.
const [count = 0, millis = 0] = process.argv.slice(2).map(Number);
process.once('SIGUSR2', () => void run());
const stay = setInterval(() => {}, 1_000);
console.log(JSON.stringify({ ready: true }));

async function run(): Promise<void> {
  const began = performance.now();
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, millis));
  console.log(JSON.stringify({ millis: performance.now() - began }));
  clearInterval(stay);
}
