import type { WebSocket } from 'ws';
import type { Connection } from '../peer.ts';
import type { PollSession } from '../polls/poll-session.ts';
import { Seat } from './seat.ts';

/** A seat at a WebSocket. */
export function seatAtSocket(socket: WebSocket): Seat {
  const seat = new Seat({
    isText: socket.protocol.endsWith('.json'),
    isPolled: false,
    send: (frame) => socket.send(frame),
    ping: () => socket.ping(),
    cut: () => socket.terminate(),
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => seat.hear(isBinary ? data : data.toString()));
  socket.on('pong', () => seat.lives());
  socket.on('close', () => seat.end());
  socket.on('error', () => {});
  return seat;
}

/** A seat at a session of polls, and what the session tells of. */
export function seatAtPolls(session: PollSession): { seat: Seat; connection: Connection } {
  const seat = new Seat({
    isText: true,
    isPolled: true,
    send: (frame) => session.send(frame as string),
    ping: () => session.hurry(),
    cut: () => session.lose('cut by the examination'),
  });
  const connection: Connection = {
    receive: (frame) => {
      seat.hear(frame);
      if (seat.of('bye').length > 0) session.close(0, 'goodbye');
      return undefined;
    },
    heard: () => {
      // A poll that was on its way already shows nothing of what it has not heard.
      if (session.isCaughtUp) seat.lives();
    },
    tooLarge: () => {
      seat.garbage ??= 'a line that is longer than a frame may be';
    },
    closed: () => seat.end(),
  };
  return { seat, connection };
}
