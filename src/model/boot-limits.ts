/** The bounds of the boot image. */

/**
 * Bytes of its configuration, `/etc/mh.conf`, always: a server lays its own over that of an image which it hands out, and nothing
 * else in the image moves. Room for a few addresses, a token, and what may come.
 */
export const BOOT_CONFIG_BYTES = 2_048;

/** Images made for somebody that can be fetched at once; of more the oldest cannot be any longer. */
export const BOOT_DOWNLOADS = 100;

/** Milliseconds in which an image that was made can be fetched: its address is all that is needed, and it holds a token. */
export const BOOT_DOWNLOAD_TIME = 24 * 3_600_000;

/** Milliseconds in which machines may join by an image. Those that have, stay. */
export const BOOT_TOKEN_TIME = 365 * 24 * 3_600_000;

/** Bytes of what a build says of its image. */
export const BOOT_MANIFEST_BYTES = 64 * 1_024;

/** Network cards of a machine: with more, it is woken by these. */
export const MACHINE_CARDS = 16;
