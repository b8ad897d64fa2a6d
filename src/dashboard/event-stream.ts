/** One event of a server's stream, as the standard for server-sent events has it. */
export interface StreamEvent {
  readonly kind: string;
  readonly data: string;
}

/** Reads the text of an event stream in pieces as they come from the network, cut anywhere. */
export class EventStreamReader {
  #rest = '';
  #kind = '';
  #data: string[] = [];

  /** The events that this piece completes. */
  push(text: string): StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n/);
    this.#rest = lines.pop() ?? '';
    const events: StreamEvent[] = [];
    for (const line of lines) {
      if (line !== '') this.#read(line);
      else if (this.#data.length > 0) events.push(this.#take());
    }
    return events;
  }

  #read(line: string): void {
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    // Comments have an empty field; what else there may be, such as `id`, also stands in the messages themselves.
    if (field === 'event') this.#kind = value;
    if (field === 'data') this.#data.push(value);
  }

  #take(): StreamEvent {
    const event = { kind: this.#kind === '' ? 'message' : this.#kind, data: this.#data.join('\n') };
    this.#kind = '';
    this.#data = [];
    return event;
  }
}
