/** The bounds of what pages show and files hold of results, and of what a page reads to run a function, each with its unit and its reason, as in limits.ts. */

const MiB = 1024 * 1024;

/** Columns of a CSV file that are named after fields of values: as many as a table has that people look at. The rest is JSON. */
export const CSV_COLUMNS = 1_000;
/** Bytes of a value that is looked into for CSV or taken for a text in a zip file: one is in memory for each download. */
export const CSV_VALUE_BYTES = 8 * MiB;
export const ZIP_TEXT_BYTES = 8 * MiB;
/** Files of a zip archive: what every program can open, and a few MiB of names in memory. Further values are lines. */
export const ZIP_FILES = 65_000;

/** Bytes of results that a page reads at a time to show what they are like, and of one large value that it fetches. */
export const PAGE_RESULT_BYTES = 2 * MiB;
export const PAGE_LARGE_VALUE_BYTES = 4 * MiB;
/** Bytes after which it has seen enough; a picture is read to its end, if it is no larger than screens are. */
export const PAGE_RESULT_BYTES_MOST = 16 * MiB;
export const PAGE_TILE_BYTES_MOST = 128 * MiB;
/** Large values in a row that turn out to be no picture, after which no more are fetched. */
export const PAGE_LARGE_TRIES = 4;
/** Pictures shown, and numbers of one value that are plotted: what fits a screen. */
export const PAGE_PICTURES = 24;
export const PAGE_SERIES = 4;
/** Pixels of a picture that a page unpacks or draws, at four bytes each, and of one of its sides: what browsers can. */
export const PAGE_PICTURE_PIXELS = 16 * 1024 * 1024;
export const PAGE_PICTURE_SIDE = 1 << 20;

/** Bytes of a file of inputs that a page reads, since it holds all of them, and characters of inputs that it sends at once. */
export const PAGE_FILE_BYTES = 32 * MiB;
export const PAGE_UPLOAD_CHARACTERS = 2 * MiB;

/** Milliseconds that a page works at once, before it looks whether somebody has pressed something. */
export const PAGE_WORK = 20;
