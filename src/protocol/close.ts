/** With this the server closes a connection of which it has forgotten everything: who comes back to it at once loses nothing (P29). */
export const BEGINS_AGAIN = 1013;
