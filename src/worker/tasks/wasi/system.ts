import { wasi } from '@bjorn3/browser_wasi_shim';
import type { Source } from './source.ts';

/**
 * The functions of preview 1 that the library leaves out, or does otherwise than programs need: it counts arguments in
 * UTF-16, waits for one clock only and by spinning, and throws where there are no sockets.
 */
export function systemCalls(
  memory: () => ArrayBuffer,
  args: readonly string[],
  source: Source,
): Record<string, (...parameters: never[]) => number> {
  const encoder = new TextEncoder();
  const notSupported = (): number => wasi.ERRNO_NOTSUP;
  return {
    args_sizes_get(count: number, size: number) {
      const view = new DataView(memory());
      view.setUint32(count, args.length, true);
      view.setUint32(
        size,
        args.reduce((sum, arg) => sum + encoder.encode(arg).length + 1, 0),
        true,
      );
      return wasi.ERRNO_SUCCESS;
    },
    clock_res_get(clock: number, result: number) {
      if (clock > wasi.CLOCKID_THREAD_CPUTIME_ID) return wasi.ERRNO_INVAL;
      new DataView(memory()).setBigUint64(result, 1_000_000n, true);
      return wasi.ERRNO_SUCCESS;
    },
    clock_time_get(clock: number, _precision: bigint, result: number) {
      if (clock > wasi.CLOCKID_THREAD_CPUTIME_ID) return wasi.ERRNO_INVAL;
      new DataView(memory()).setBigUint64(result, source.now(clock), true);
      return wasi.ERRNO_SUCCESS;
    },
    random_get(start: number, length: number) {
      source.fill(new Uint8Array(memory(), start, length));
      return wasi.ERRNO_SUCCESS;
    },
    poll_oneoff: (start: number, events: number, count: number, happened: number) =>
      poll(new DataView(memory()), source, { start, events, count, happened }),
    sched_yield: () => wasi.ERRNO_SUCCESS,
    proc_raise(signal: number) {
      throw new Error(`it raised the signal ${signal}`);
    },
    sock_accept: notSupported,
    sock_recv: notSupported,
    sock_send: notSupported,
    sock_shutdown: notSupported,
  };
}

/** Bytes of a subscription and of an event, as preview 1 lays them out. */
const SUBSCRIPTION = 48;
const EVENT = 32;

/** What a program waits for: files are always ready, and a clock is waited for only if nothing else is asked for. */
function poll(
  view: DataView,
  source: Source,
  { start, events, count, happened }: { start: number; events: number; count: number; happened: number },
): number {
  if (count === 0) return wasi.ERRNO_INVAL;
  const subscriptions = Array.from({ length: count }, (_, i) => subscriptionAt(view, start + i * SUBSCRIPTION, source));
  const least = subscriptions.reduce((min, { wait }) => (wait < min ? wait : min), subscriptions[0]?.wait ?? 0n);
  if (least > 0n) source.sleep(least);
  const ready = subscriptions.filter(({ wait }) => wait <= least);
  for (const [i, { userdata, type }] of ready.entries()) {
    const at = events + i * EVENT;
    for (let byte = 0; byte < EVENT; byte++) view.setUint8(at + byte, 0);
    view.setBigUint64(at, userdata, true);
    view.setUint8(at + 10, type);
    if (type !== wasi.EVENTTYPE_CLOCK) view.setBigUint64(at + 16, 1n, true);
  }
  view.setUint32(happened, ready.length, true);
  return wasi.ERRNO_SUCCESS;
}

/** `wait`: nanoseconds until it happens. */
function subscriptionAt(view: DataView, at: number, source: Source): { userdata: bigint; type: number; wait: bigint } {
  const userdata = view.getBigUint64(at, true);
  const type = view.getUint8(at + 8);
  if (type !== wasi.EVENTTYPE_CLOCK) return { userdata, type, wait: 0n };
  const clock = view.getUint32(at + 16, true);
  const timeout = view.getBigUint64(at + 24, true);
  const isMoment = (view.getUint16(at + 40, true) & wasi.SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
  const wait = isMoment ? timeout - source.now(clock) : timeout;
  return { userdata, type, wait: wait < 0n ? 0n : wait };
}
