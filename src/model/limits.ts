/** Every bound of the system, with its unit and its reason. A bound that is not here does not exist. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Tasks of a block: a bitmap of 512 bytes, and an envelope that stays far below a frame even for long values. */
export const BLOCK_TASKS = 4096;

/** Bytes of the values of one block or one batch: one frame with room for its header. */
export const BLOCK_BYTES = 768 * KiB;

/** Bytes of a WebSocket message. Larger things are blobs over HTTP, which stream. */
export const FRAME_BYTES = 1 * MiB;

/** Fragments of a WebSocket message: we never send any; a few are allowed for foreign libraries. */
export const FRAME_FRAGMENTS = 64;

/** Bytes of a value that travels in an envelope; above this it is a blob. */
export const INLINE_VALUE_BYTES = 64 * KiB;

/** Nesting of a user's value: far more than data has, far less than the stacks of the readers hold. */
export const VALUE_DEPTH = 1_000;

/** Bytes of task code that travel in the submit message; above this the client uploads a blob first. */
export const INLINE_CODE_BYTES = 256 * KiB;

/** Bytes of the header of a batch frame: runs of a whole block with every second task missing fit. */
export const HEADER_BYTES = 128 * KiB;

/** Nesting of JSON control messages: ours have 4; deep nesting is an attack on recursive parsers. */
export const JSON_DEPTH = 32;

/** Labels of one worker, or of one job's wishes, and named amounts: what people and scripts give; each is looked at in each match. */
export const LABELS = 64;

/** Bytes of an error's message and stack that are kept: enough for a screen, small enough for a million failures. */
export const ERROR_MESSAGE_BYTES = 4 * KiB;
export const ERROR_STACK_BYTES = 8 * KiB;
/** Causes of an error that are kept, the cause's cause among them: a chain may be a cycle. */
export const ERROR_CAUSES = 5;

/** A task that took this many different workers down is not tried on another. */
export const POISON_WORKERS = 3;

/** Tasks of a batch that was in a lost worker are tried again in batches of this size, then one by one: 4,096, 64, 1. */
export const SUSPECT_BATCH = 64;

/** Without --max-failures a job ends if this many first outcomes all failed: a typo should not burn an hour. */
export const FIRST_FAILURES = 20;

/** Milliseconds between the server's pings; a worker silent for the lease time below is lost. */
export const PING_INTERVAL = 10_000;

/** Milliseconds until the first of them: how far away a worker is should be known before it has had much work. */
export const FIRST_PING = 500;

/** Milliseconds of silence after which a worker's leases are free: two missed pings and some air (promise: 30 s). */
export const LEASE_TIME = 25_000;

/** The same for browsers, whose timers are throttled to once a minute and whose phones sleep. */
export const BROWSER_LEASE_TIME = 150_000;

/** Milliseconds that recorded leases wait for their workers after a server start. */
export const ADOPTION_GRACE = 5_000;
export const BROWSER_ADOPTION_GRACE = 60_000;

/** Milliseconds a batch should take on its slot: long enough to make the batch's own cost small, short enough to share the tail. */
export const BATCH_TIME = 20;

/** Tasks of the first batches of a job of which nothing is measured yet. */
export const BATCH_FIRST = 4;

/** Milliseconds of work queued for each slot beyond what the worker's measured way takes, to hide what that does not show. */
export const PREFETCH_TIME = 30;

/** Milliseconds of the way to a worker and back that the queue makes up for: more would be a queue that nobody else can have. */
export const PREFETCH_WAY = 1_000;

/** Milliseconds above which a task is never queued behind another: the round trip is nothing against it, and waiting is. */
export const PREFETCH_LONGEST = 500;

/** Batches that a worker has for each of its slots, however short they are: more hide nothing. */
export const BATCHES_PER_SLOT = 8;

/** Tasks claimed ahead for each fitting slot: what the prefetch can use of the shortest tasks, and a margin. */
export const CLAIM_AHEAD = 4 * BLOCK_TASKS;

/** Blocks asked for with one claim: a short statement for the store, and a few MiB of inputs at most. */
export const CLAIM_BLOCKS = 16;

/** Milliseconds of unstarted work that are worth taking back: less is done before the answer arrives. */
export const RECALL_WORTH = 2;

/** Milliseconds in which a worker answers a recall, if it has anything to give back: a round trip and one task's start. */
export const RECALL_PATIENCE = 20;

/** Settled leases whose numbers are remembered, to tell a repeated outcome from an unknown one. */
export const SETTLED_LEASES = 4_096;

/** Requirement sets of jobs that are remembered while no open job has them: programs submit the same kind again and again. */
export const IDLE_SHAPES = 16;

/** Attempts of a lost batch, or of one that another was faster with, that are written down one by one; larger ones in one row. */
export const LOST_ATTEMPTS = 16;

/** Milliseconds by which a tick may be late; later than that, this machine slept or stalled, and silence proves nothing. */
export const LATE_TICK = 5_000;

/** Milliseconds a task must have run before a second copy of it is worth starting. */
export const SPECULATE_AFTER = 1_000;

/** Consecutive failures after which a worker is suspected to be a black hole. */
export const BLACK_HOLE_FAILURES = 10;

/** Milliseconds of the first backoff of a failed task; doubled each time up to the second. */
export const RETRY_BACKOFF = 1_000;
export const RETRY_BACKOFF_MAX = 60_000;

/** Milliseconds between a worker's connect and its hello, before the socket is closed: a stranger may not sit on one. */
export const HELLO_TIME = 10_000;

/** Milliseconds that a worker waits after a silence that is too long, so that it reads what came while it stalled itself. */
export const SILENCE_DOUBT = 1_000;

/** Milliseconds of the first reconnect delay and the longest; the delay is drawn evenly from zero up to the doubled bound. */
export const RECONNECT_BASE = 500;
export const RECONNECT_CAP = 60_000;

/** Bytes a client may have sent as inputs without an answer: hides the disk, bounds the server's memory per client. */
export const INPUT_WINDOW_BYTES = 4 * MiB;

/** Bytes of results in flight to one client without its credit. */
export const RESULT_WINDOW_BYTES = 8 * MiB;

/** Bytes that wait for the network of one peer, above which it gets no more results and nothing more is read of it. (F-11) */
export const OUTGOING_BYTES = 8 * MiB;
/** Bytes that may wait for a worker that takes nothing, before it is cut: first batches for many slots fit. */
export const OUTGOING_BYTES_MOST = 64 * MiB;

/** Workers that speak by polls (P26): as many as sockets that a process may usually have. */
export const POLL_SESSIONS = 1_024;
/** Bytes of what one poll says: a few messages as large as may be. */
export const POLL_BYTES = 4 * FRAME_BYTES;
/** Milliseconds until the next poll, after one was cut: who is alive asks again at once, as a socket that was cut is opened again. */
export const POLL_CUT_TIME = 5_000;
/** Milliseconds in which what was said last can still be fetched, after a session has ended. */
export const POLL_LAST_WORDS_TIME = 15_000;

/** Bytes of one client's requests that are being dealt with, above which no more is read of it: twice what an honest one sends. */
export const CLIENT_REQUEST_BYTES = 2 * INPUT_WINDOW_BYTES;

/** Result streams and progress notes that one connection may have open: each costs memory, and reads of the disk. */
export const CLIENT_STREAMS = 1_000;

/** Milliseconds between two progress notes to one client about one job: as fast as eyes follow. */
export const NOTE_INTERVAL = 250;

/** Bytes of recent segments kept for live streams, so that a client that keeps up never causes a read. */
export const RECENT_SEGMENT_BYTES = 8 * MiB;

/** Bytes that a segment in memory counts for besides its column: of single short tasks the objects around it are the most. */
export const SEGMENT_BYTES = 512;

/** Bytes of block inputs kept in memory for blocks in flight; more is read again when granted. */
export const INPUT_CACHE_BYTES = 16 * MiB;

/** Bytes waiting in the loop for a commit; above this the gateways stop reading sockets until it has drained. */
export const LOOP_BACKLOG_BYTES = 32 * MiB;

/** Milliseconds between two lines of the log that say that nothing can be saved: a full disk may fail a commit every second. */
export const TROUBLE_TOLD_EVERY = 60_000;

/** Bytes that a row counts for in that backlog, besides the values it carries: what most rows take in memory. */
export const ROW_BYTES = 256;

/** Milliseconds between two attempts to read the brain from the disk again, after a commit failed. */
export const REBUILD_INTERVAL = 1_000;

/** Job numbers reserved at once: one sync for so many submits; a crash loses at most that many. */
export const JOB_NUMBERS_AHEAD = 32;

/** Rows and bytes that one step of forgetting deletes: a few milliseconds in which no commit waits long. */
export const FORGET_STEP_ROWS = 1_000;
export const FORGET_STEP_BYTES = 8 * MiB;

/**
 * Milliseconds of work that a worker hands to a task process at once. What is inside cannot be taken back, so it is
 * short; the cost of the hand-over (60-80 µs) is hidden by handing over the next piece while this one runs.
 */
export const CHUNK_TIME = 10;

/** Bytes of results after which a task process reports at once: with one more inline value it still fits a frame. */
export const CHUNK_BYTES = 512 * KiB;

/** Bytes of outcomes that a worker keeps unacknowledged; above this it starts no further task until acks come. */
export const KEPT_OUTCOME_BYTES = 64 * MiB;

/** Milliseconds that a revoked task has to heed its signal, before its process is killed. */
export const REVOKE_GRACE = 500;

/** Milliseconds before a task process is started again that died without finishing anything; doubled up to the second. */
export const RESPAWN_DELAY = 100;
export const RESPAWN_DELAY_MAX = 10_000;

/** Bytes of console output sent for one task, and of one message of it: enough to read, not to flood. */
export const TASK_LOG_BYTES = 64 * KiB;
export const LOG_MESSAGE_BYTES = 8 * KiB;

/** Bytes of console output a second from one slot; what exceeds it is dropped and counted. */
export const SLOT_LOG_RATE = 256 * KiB;

/** Bytes of the last raw output of a task process that are kept to explain its death. */
export const STDERR_TAIL_BYTES = 4 * KiB;

/** Task modules loaded by one process before it is replaced: modules are never unloaded. */
export const PROCESS_MODULES = 100;

/** HTTP connections of a worker, for code and blobs: two hide each other's round trips. */
export const WORKER_HTTP_CONNECTIONS = 2;

/** Bytes of console output kept of one job: enough to debug a million tasks that all print the same line. */
export const JOB_LOG_BYTES = 4 * MiB;

/** Bytes of the database up to which the whole of it is checked at a start: half a second of reading. */
export const WHOLE_CHECK_BYTES = 32 * MiB;

/** Bytes of database pages kept in memory: the pages of a few large commits; the operating system caches the rest. */
export const STORE_CACHE_BYTES = 8 * MiB;

/**
 * Pages of 4 KiB in the write-ahead log after which it is copied into the database. Hot pages are copied once for many
 * commits, and the log soon overwrites itself: syncing a file that grows takes twice as long.
 */
export const CHECKPOINT_PAGES = 2_000;

/** Bytes of a task process before any task: what a job's memory limit does not count. */
export const TASK_PROCESS_BYTES = 64 * MiB;

/** Milliseconds between two looks at the memory of a task process whose job has a limit: buffers grow 2 GB a second. */
export const MEMORY_WATCH_INTERVAL = 50;

/** Milliseconds between two tries of a transfer, the first and the longest. */
export const TRANSFER_RETRY = 250;
export const TRANSFER_RETRY_MAX = 10_000;

/** Pages that one step of a backup copies while commits wait: about two milliseconds. */
export const BACKUP_STEP_PAGES = 1_000;

/** Milliseconds between two looks for calls while a backup goes on: its steps need the thread's event loop in between. */
export const BACKUP_LOOK = 1;

/** Milliseconds without a write after which the write-ahead log is copied into the database. */
export const STORE_IDLE = 2_000;

/** Bytes of a JSON body over HTTP: larger things are uploaded as NDJSON or as blobs, which stream. */
export const JSON_BODY_BYTES = 16 * MiB;

/** Bytes of one line of NDJSON inputs: a megabyte more than fits a blob that people would paste. */
export const INPUT_LINE_BYTES = 64 * MiB;

/** Milliseconds that the head of a request may take, and a JSON body after it. (T-28) */
export const HEADERS_TIME = 10_000;
export const JSON_BODY_TIME = 30_000;

/** Bytes a second below which an upload is cut, once it has had the grace time in milliseconds. (F-12) */
export const UPLOAD_RATE = 1 * KiB;
export const UPLOAD_GRACE = 10_000;

/** Milliseconds in which a slow reader of an answer must take something. */
export const ANSWER_STALL = 60_000;

/** Milliseconds an unused HTTP connection is kept: workers fetch now and then, and a handshake is dear to a phone. */
export const KEEP_ALIVE_TIME = 65_000;

/** Connections from one address that have not shown a valid token: 1,000 workers behind one address may start at once. (T-28) */
export const STRANGERS_PER_ADDRESS = 2_048;

/** Descriptors kept free of sockets: for the store, for blobs, for the log. (F-35) */
export const RESERVED_DESCRIPTORS = 64;

/** Wrong tokens from one address in a minute, after which further wrong ones are told to wait. (T-27) */
export const FAILED_ATTEMPTS = 10;
export const FAILED_ATTEMPTS_TIME = 60_000;
/** Addresses remembered for that: the oldest are forgotten first. */
export const FAILED_ADDRESSES = 10_000;

/** Milliseconds a ticket is good for, and tickets at once. */
export const TICKET_TIME = 30_000;
export const TICKETS = 10_000;

/** Tokens of a farm, revoked ones included. */
export const TOKENS = 10_000;

/** Milliseconds between two looks for tokens that have expired: promised are five seconds. (T-26) */
export const EXPIRY_INTERVAL = 1_000;

/** Milliseconds between two deltas of the feed: faster than eyes follow, slow enough to join thousands of changes. */
export const FEED_INTERVAL = 250;
/** Jobs and workers in one delta; the others follow in the next. */
export const FEED_CHANGES = 500;
/** Bytes of recent deltas kept for readers that come back: a minute of a busy farm, and a snapshot is no larger. */
export const FEED_KEPT_BYTES = 512 * KiB;
/** Ended jobs that the feed still shows. */
export const FEED_ENDED_JOBS = 200;
/** Bytes that may wait for one reader of events before it is cut; it comes back where it was. (F-11) */
export const EVENTS_BACKLOG_BYTES = 4 * MiB;
/** Milliseconds between comments on an idle event stream, so that proxies keep it open. */
export const EVENTS_BEAT = 15_000;

/** Bytes of results kept while an answer in index order waits for an earlier task; more is read again from the store. */
export const REORDER_BYTES = 16 * MiB;

/** Rows of one page of a listing, usual and most. */
export const PAGE_ROWS = 100;
export const PAGE_ROWS_MAX = 1_000;

/** Jobs that a server remembers of each worker that did something of them, and workers that it remembers: for their pages. */
export const WORKER_HISTORY_JOBS = 20;
export const WORKER_HISTORIES = 1_000;

/** Milliseconds an unreferenced blob is kept: uploads come before the job that names them. */
export const BLOB_GRACE = 24 * 60 * 60_000;
/** The same while a task runs that is older, and may have stored it for its result: not for ever, since a task may never end. */
export const BLOB_GRACE_RUNNING = 30 * BLOB_GRACE;
/** Milliseconds between two rounds of housekeeping: blobs without a job, and ended jobs older than --keep. */
export const HOUSEKEEPING_INTERVAL = 60_000;

/** Milliseconds that open answers and sockets have to end when the server stops. */
export const STOP_TIME = 3_000;

/** Milliseconds without a new input after which an open job is closed: its program is gone, and a farm keeps what is open in memory. */
export const OPEN_JOB_IDLE = 7 * 24 * 3_600_000;

/** Bytes of a blob that are gathered before they are written, and read at once: few calls, and little memory a transfer. */
export const BLOB_CHUNK_BYTES = 1 * MiB;

/** Milliseconds after which a blob that is asked for is made young again; collect only what is several times older. */
export const BLOB_RENEW = 600_000;

/** Cut uploads whose hash so far is remembered; others are read again from the disk when they go on. */
export const BLOB_HASHES_KEPT = 64;

/** Blobs that a server remembers to have hashed since it started: what was just written is not hashed again to be read. */
export const BLOBS_KNOWN_WHOLE = 16_384;

/** Milliseconds over which a page measures a rate: follows a change soon, and does not jump with every batch. */
export const PACE_TIME = 10_000;
/** Milliseconds between two counts that a rate is measured by. */
export const PACE_STEP = 1_000;
/** Outcomes in that time below which the mean since the start says more: tasks of a minute end seldom. */
export const PACE_OUTCOMES = 5;

/** Milliseconds of the farm's past that the feed tells, so that a page just opened has charts, and between two moments of it. */
export const FEED_HISTORY = 5 * 60_000;
export const FEED_HISTORY_STEP = 1_000;

/** Buffers of BLOB_CHUNK_BYTES that wait for the next read of a blob: as many as are usually read at once. */
export const BLOB_READ_BUFFERS = 8;

/** Milliseconds in which the frame where a page's slots live must have loaded, before it is loaded again. */
export const FRAME_PATIENCE = 15_000;

/** The part of a battery's charge below which a device that was lent pauses, if its owner wants that and it is not charged. */
export const LOW_BATTERY = 0.3;
