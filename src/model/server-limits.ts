/** The bounds of several servers that share a store, each with its unit and its reason, as in limits.ts. */

const KiB = 1024;

/** Milliseconds between two pulses of a server: what others did is known here a second later at most, and costs a statement. */
export const PULSE_INTERVAL = 1_000;

/** Milliseconds between two pulses that hints ask for: a hint a commit would be as many pulses. */
export const HINT_SPACING = 50;

/** Milliseconds, at least, between two pulses in which servers say something of themselves: a little less than a pulse, so that each regular one does. */
export const FACTS_INTERVAL = 900;

/** Milliseconds of silence, by the store's clock, after which a server is over: five missed pulses and some air (promise with TAKEOVER_GRACE: 15 s). */
export const SERVER_LEASE = 6_000;

/** Milliseconds between two pings of such a server: its workers leave it two seconds after one that did not come, and are elsewhere when its time is over. */
export const SHARED_PING_INTERVAL = 4_000;

/** Milliseconds that leases of a server that is over wait for their workers to turn up at another one. Workers that lose a connection do so at once. */
export const TAKEOVER_GRACE = 4_000;

/** Milliseconds for which a claim that found nothing is remembered: its server asks again at each pulse while it is hungry. */
export const HUNGER_TIME = 2_500;

/** Bytes of what a server says of itself at each pulse: its address and a line for each of some hundred workers. */
export const SERVER_FACTS_BYTES = 64 * KiB;

/** Milliseconds that half of what waits at one server must be worth on each of its slots before another gets it: less is done before it is there. */
export const GIVE_WORTH = 20;

/** Rows of blocks that are given away at once: the next pulse goes on. */
export const GIVE_BLOCKS = 16;

/** Workers that a server may have more than another before newcomers are sent there: fewer make no difference that anybody feels. */
export const SPREAD_MARGIN = 2;

/** Milliseconds that a worker which is to go to another server has for what it runs: after that it stays, for what it runs is long. */
export const MOVE_PATIENCE = 10_000;

/** Workers that move to another server at the same time: the rest follow, and the farm goes on meanwhile. */
export const MOVED_AT_ONCE = 16;

/** Workers that a server remembers to have sent elsewhere, so that one that cannot get there is taken when it comes again. */
export const SENT_AWAY = 4_096;

/** Milliseconds between two questions whether the server that granted a worker's leases is over, and how long it is asked: until then it is, or it lives and has them. */
export const TAKEOVER_RETRY = 500;
export const TAKEOVER_PATIENCE = SERVER_LEASE + 2 * PULSE_INTERVAL + TAKEOVER_GRACE;

/** Milliseconds between two orders by which the server that has a worker's leases is asked to hand them over: one may have been lost with a pulse that failed. */
export const HANDOVER_RETRY = 2_000;

/** Milliseconds for which a worker whose connection ended is awaited at this or another server before others get its tasks: a new connection, an order and a pulse take a few hundred. */
export const HANDOVER_GRACE = 2_000;

/** Milliseconds for which a request waits for PostgreSQL to come back before it is told `busy`: a restart or a failover takes less (F-38). */
export const DB_PATIENCE = 30_000;

/** Milliseconds until a connection stands, or is tried again: a few round trips around the world. */
export const DB_CONNECT_TIME = 5_000;

/** Milliseconds after which whoever has not answered counts as gone: our transactions take a hundredth of that. */
export const DB_STATEMENT_TIME = 10_000;

/**
 * Milliseconds after which PostgreSQL undoes a transaction whose server stands still in the middle of it: others wait for the rows that it has
 * locked. Less than SERVER_LEASE, or work would not go on elsewhere in time; a transaction of ours waits for a round trip or two (F-41).
 */
export const DB_PAUSE_IN_TRANSACTION = 4_000;

/** Milliseconds until the first try after a failed one, and the most: doubled each time. */
export const DB_RETRY_MIN = 20;
export const DB_RETRY_MAX = 1_000;

/** Milliseconds for which it is remembered that a server is over: whoever misses itself sooner knows that its database lost something. */
export const MEMBER_MEMORY = 24 * 60 * 60_000;

/**
 * Epochs and job numbers that are left out when the database lost what was written last: nobody may get one that was given out in what is lost.
 * A standby that is minutes behind lacks fewer starts of servers, and fewer jobs.
 */
export const EPOCHS_AHEAD = 1_000;
export const JOBS_AHEAD = 100_000;

/** Bytes of a row of a blob in PostgreSQL: a statement of a millisecond, and a few hundred rows for what people call large. */
export const BLOB_ROW_BYTES = 256 * KiB;

/** Rows of a blob that are read at once: what is on its way while a slow reader takes the rest. */
export const BLOB_ROWS_AT_ONCE = 4;

/** Milliseconds for which an upload belongs to whoever goes on with it, since its last bytes. */
export const BLOB_UPLOAD_PATIENCE = 60_000;
