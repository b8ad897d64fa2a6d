/** The bounds of the boot image. */

/**
 * Bytes of its configuration, `/etc/mh.conf`, always: a server lays its own over that of an image which it hands out, and nothing
 * else in the image moves. Room for a few addresses, a token, and what may come.
 */
export const BOOT_CONFIG_BYTES = 2_048;
