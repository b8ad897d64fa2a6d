import assert from 'node:assert/strict';
import { leaseId } from '../../model/ids.ts';
import type { BlockRecord, ProgressChange } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { HUNGER_TIME, SERVER_LEASE } from '../../model/server-limits.ts';
import { aLease, aSegment, progressOf } from '../store-records.ts';
import { aBlock, inputsOf, rejects, textOf } from './home.ts';
import { type MakeSharedHome, type Server, sharedRule, tasksOf } from './servers.ts';

/** What several servers need of a store that they share (D18, D19, D22). */
export function sharedRules(makeHome: MakeSharedHome): void {
  membership(makeHome);
  steadiness(makeHome);
  counters(makeHome);
  places(makeHome);
  ends(makeHome);
  lateNews(makeHome);
  hunger(makeHome);
}

function change(counted: ProgressChange['counted'], set: ProgressChange['set'], job: number): Write {
  // What the row would be if nobody else had changed it: never what is stored.
  return { kind: 'progress', job, progress: progressOf({ ...set, done: 999 }), change: { counted, set } };
}

function membership(makeHome: MakeSharedHome): void {
  sharedRule('D18 servers have epochs of their own, which are current beside each other', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    assert.equal(a.store.farm, b.store.farm);
    assert.notEqual(a.epoch, b.epoch);
    const job = await a.job();
    await b.commit(inputsOf(job, 0, 3));
    await a.commit(inputsOf(job, 3, 3));
    assert.deepEqual([await a.pulse('{"at":"a"}'), await b.pulse('b\u0000"')].at(-1)?.servers.map(withoutTime), [
      { epoch: a.epoch, facts: '{"at":"a"}' },
      { epoch: b.epoch, facts: 'b\u0000"' },
    ]);
    const [first] = (await a.pulse('{"at":"a"}')).servers;
    assert.ok(Number.isInteger(first?.since));
  });

  sharedRule(
    'D18 a pulse that a hint asked for says nothing of the servers, and nothing new of its own',
    makeHome,
    async (farm) => {
      const [a, b] = [await farm.join(), await farm.join()];
      const job = await a.job();
      await a.pulse('what a says');
      const short = await a.shared.pulse(a.epoch);
      assert.deepEqual([short.jobs.map(({ id }) => id), short.farm], [[job], undefined]);
      assert.equal((await b.pulse()).servers[0]?.facts, 'what a says');
    },
  );

  sharedRule('D18 a server that starts again is not what it was before', makeHome, async (farm) => {
    const a = await farm.join();
    const job = await a.job();
    const before = a.epoch;
    a.epoch = await a.store.start();
    assert.ok(a.epoch > before);
    await rejects(a.store.commit([inputsOf(job, 0, 1)], before), 'fenced');
    await rejects(a.shared.pulse(before, ''), 'fenced');
    assert.deepEqual((await a.pulse()).servers.map(withoutTime), [{ epoch: a.epoch, facts: '' }]);
  });

  sharedRule('D18 whoever says goodbye is over at once', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    await b.store.close();
    assert.deepEqual((await a.pulse()).servers.map(withoutTime), [{ epoch: a.epoch, facts: '' }]);
  });

  sharedRule(
    'D18 who was silent for too long is fenced off, and changes nothing (S12, F-41)',
    makeHome,
    async (farm) => {
      const [a, b] = [await farm.join(), await farm.join()];
      const job = await a.job({ range: { start: 0, step: 1, count: 9_000 } });
      await b.store.claim(job, 1, b.epoch);
      await farm.steady(a, 2 * SERVER_LEASE);
      const before = await a.everything();
      await rejects(b.store.commit([change({ done: 5 }, {}, job)], b.epoch), 'fenced');
      await rejects(b.store.commit([], b.epoch), 'fenced');
      await rejects(b.store.claim(job, 1, b.epoch), 'fenced');
      await rejects(b.shared.takeOver([], b.epoch), 'fenced');
      await rejects(b.shared.pulse(b.epoch, 'here again'), 'fenced');
      await rejects(b.store.recover(b.epoch), 'fenced');
      assert.deepEqual(await a.everything(), before);
    },
  );
}

const withoutTime = ({ epoch, facts }: { epoch: number; facts: string }) => ({ epoch, facts });

function steadiness(makeHome: MakeSharedHome): void {
  sharedRule('D18 a pulse that a hint asked for keeps nobody alive', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    await farm.steady(a, 2 * SERVER_LEASE, b);
    await farm.steady(a, SERVER_LEASE / 2);
    await b.shared.pulse(b.epoch);
    await farm.steady(a, SERVER_LEASE);
    await rejects(b.shared.pulse(b.epoch), 'fenced');
  });

  sharedRule('D18 silence is not enough: somebody else has to say so', makeHome, async (farm) => {
    const a = await farm.join();
    const job = await a.job();
    await farm.later(10 * SERVER_LEASE);
    await a.commit(inputsOf(job, 0, 3));
    assert.equal((await a.pulse()).servers.length, 1);
  });

  sharedRule('D18 after the store was away nobody is to blame for silence (F-38)', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    await farm.steady(a, 2 * SERVER_LEASE, b);
    await farm.later(5 * SERVER_LEASE);
    assert.equal((await a.pulse()).servers.length, 2, 'a was silent as well');
    await farm.later(SERVER_LEASE - 1_000);
    assert.equal((await a.pulse()).servers.length, 2, 'not yet without a gap for long enough');
    await b.pulse();
    await farm.steady(a, 2 * SERVER_LEASE, b);
    assert.equal((await b.pulse()).servers.length, 2, 'both came back in time');
    await farm.steady(a, 2 * SERVER_LEASE);
    await rejects(b.shared.pulse(b.epoch, ''), 'fenced');
  });

  sharedRule('D18 a process that starts again in time is as steady as it was', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    await farm.steady(a, 2 * SERVER_LEASE, b);
    await farm.steady(b, SERVER_LEASE / 2);
    await farm.later(SERVER_LEASE / 3);
    await b.again();
    assert.equal((await b.pulse()).servers.length, 2, 'a was not silent for long enough');
    await farm.later(SERVER_LEASE / 3);
    assert.equal((await b.pulse()).servers.length, 1);
  });

  sharedRule('D18 a server that has just come ends nobody', makeHome, async (farm) => {
    const a = await farm.join();
    await farm.later(3 * SERVER_LEASE);
    const b = await farm.join();
    assert.equal((await b.pulse()).servers.length, 2);
    await a.pulse();
    assert.equal((await b.pulse()).servers.length, 2);
  });
}

function counters(makeHome: MakeSharedHome): void {
  sharedRule('D19 what servers bring to a job adds up, and the commit says to what', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job({}, { total: 10 });
    await a.commit(change({ done: 2, busyMicros: 5 }, { startedAt: 7 }, job));
    const [said] = await b.commit(change({ done: 3, busyMicros: 6, copied: 1 }, { startedAt: 9 }, job));
    const expected = progressOf({ total: 10, done: 5, busyMicros: 11, copied: 1, startedAt: 7 });
    assert.deepEqual(said?.kind === 'progress' && said.progress, expected);
    assert.deepEqual((await a.store.readJob(job))?.progress, expected);
    await a.commit(change({ done: -1 }, { state: 'paused' }, job));
    assert.deepEqual((await b.pulse()).jobs[0]?.progress, { ...expected, done: 4, state: 'paused' });
  });

  sharedRule('D19 segments get the next numbers of their job, whoever brings them', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const [one, two] = [await a.job(), await a.job()];
    const numbers: number[] = [];
    for (const [server, ...writes] of [
      [a, aSegment(one, 1, 0, 1), aSegment(two, 1, 0, 1), aSegment(one, 2, 5, 1)],
      [b, aSegment(one, 1, 10, 1), aSegment(two, 1, 10, 1)],
      [a, aSegment(one, 3, 20, 1)],
    ] as [Server, ...Write[]][]) {
      for (const write of await server.commit(...writes)) if (write.kind === 'segment') numbers.push(write.segment.seq);
    }
    assert.deepEqual(numbers, [1, 1, 2, 3, 2, 4]);
    const read = await b.store.readSegments(one, { after: 0 }, 1e6);
    assert.deepEqual(
      read.map(({ segment }) => [segment.seq, segment.block]),
      [
        [1, 0],
        [2, 5],
        [3, 10],
        [4, 20],
      ],
    );
  });

  sharedRule('D19 many commits at once: no number twice, nothing lost', makeHome, async (farm) => {
    const servers = [await farm.join(), await farm.join(), await farm.join()];
    const [first] = servers as [Server];
    const jobs = [await first.job(), await first.job()];
    const commits = servers.flatMap((server, of) =>
      Array.from({ length: 12 }, (_, at) => {
        // Both orders, so that servers which lock one job after the other would wait for each other.
        const order = (of + at) % 2 === 0 ? jobs : jobs.toReversed();
        return server.commit(
          ...order.flatMap((job) => [aSegment(job, 1, at, 1), change({ done: 1, segments: 1 }, {}, job)]),
        );
      }),
    );
    await Promise.all(commits);
    for (const job of jobs) {
      const { progress } = (await first.store.readJob(job)) ?? {};
      assert.deepEqual([progress?.done, progress?.segments], [36, 36]);
      const seqs = (await first.store.readSegments(job, { after: 0 }, 1e6)).map(({ segment }) => segment.seq);
      assert.deepEqual(
        seqs,
        Array.from({ length: 36 }, (_, at) => at + 1),
      );
    }
  });
}

function places(makeHome: MakeSharedHome): void {
  sharedRule(
    'D19 inputs that tasks gave come behind all that are there, whoever brings them',
    makeHome,
    async (farm) => {
      const [a, b] = [await farm.join(), await farm.join()];
      const job = await a.job({}, { total: 2 });
      await a.commit(inputsOf(job, 0, 2));
      // Each of the two knows of two inputs only.
      const gives = (server: Server, texts: readonly string[]) =>
        server.commit(
          ...texts.map((text) => ({ ...inputsOf(job, 2, 3, text), anywhere: true }) as Write),
          change({ total: 3 * texts.length }, {}, job),
        );
      const stored = [await gives(a, ['of a']), await gives(b, ['of b', 'of b, too'])].flat();
      const places = stored.flatMap((write) => (write.kind === 'inputs' ? [write.first] : []));
      assert.deepEqual(places, [2, 5, 8]);
      const texts = await Promise.all([0, 2, 5, 8].map(async (first) => textOf(await b.store.readInputs(job, first))));
      assert.deepEqual(texts, ['inputs 0', 'of a', 'of b', 'of b, too']);
      assert.deepEqual((await a.store.readJob(job))?.progress.total, 11);
      const claimed = await b.store.claim(job, 9, b.epoch);
      assert.deepEqual(
        claimed.map(({ block, inputs }) => [block.first, block.count, textOf(inputs)]),
        [[0, 2, 'inputs 0'], ...places.map((first, at) => [first, 3, texts[at + 1]])],
      );
    },
  );
}

function ends(makeHome: MakeSharedHome): void {
  sharedRule('D19 who ends a job cancels what has not ended, whoever holds it', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job({}, { total: 12 });
    await a.commit(inputsOf(job, 0, 6), inputsOf(job, 6, 6));
    await a.store.claim(job, 1, a.epoch);
    await b.store.claim(job, 1, b.epoch);
    await b.commit(aLease(job, 6, 3, 1, b.epoch), change({ done: 4 }, {}, job));
    const [end] = await a.commit(change({ failed: 1 }, { state: 'cancelled', endedAt: 9, open: false }, job));
    const expected = progressOf({
      total: 12,
      done: 4,
      failed: 1,
      cancelled: 7,
      state: 'cancelled',
      endedAt: 9,
      open: false,
    });
    assert.deepEqual(end?.kind === 'progress' && end.progress, expected);
    await staleWrites(b, job);
    const [second] = await b.commit(change({ done: 2 }, { state: 'done', endedAt: 10 }, job));
    assert.deepEqual(second?.kind === 'progress' && second.progress, expected, 'a second end says nothing new');
    assert.deepEqual((await a.pulse()).jobs, []);
    assert.deepEqual(await b.store.claim(job, 9, b.epoch), []);
    for (const server of [a, b]) {
      const { blocks, leases } = await server.again();
      assert.deepEqual([blocks, leases], [[], []]);
    }
  });

  sharedRule('D19 after a reopen an ended job takes writes again', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job({}, { total: 3 });
    await a.commit(inputsOf(job, 0, 3), aSegment(job, 1, 0, 3, { failed: 1, failures: [{ start: 1, count: 1 }] }));
    await a.commit(change({ done: 2, failed: 1 }, { state: 'failed', open: false }, job));
    assert.equal(await b.store.reopen(job), 1);
    assert.equal((await a.pulse()).jobs[0]?.claimable, true);
    const [claimed] = await a.store.claim(job, 9, a.epoch);
    assert.deepEqual(claimed && tasksOf(claimed.block), [1]);
    await a.commit(aSegment(job, 1, 1, 1, { block: 0, generation: 1 }));
    assert.equal((await b.store.readSegments(job, { after: 1 }, 1e6))[0]?.segment.seq, 2);
  });
}

function lateNews(makeHome: MakeSharedHome): void {
  sharedRule('D19 what is written for a generation that is over is stale', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job({}, { total: 3 });
    await a.commit(inputsOf(job, 0, 3), aSegment(job, 1, 0, 3, { failed: 1, failures: [{ start: 1, count: 1 }] }));
    await a.commit(change({ done: 2, failed: 1 }, { state: 'failed', open: false }, job));
    await a.store.reopen(job);
    const late: Write[] = [
      change({}, { state: 'cancelled' }, job),
      aSegment(job, 2, 1, 1, { block: 0 }),
      aBlock(job, 0, 3, { epoch: b.epoch }),
    ];
    for (const write of late) await rejects(b.store.commit([write], b.epoch), 'stale', /were opened again/);
    const stored = await b.store.readJob(job);
    assert.deepEqual([stored?.progress.state, stored?.progress.generation], ['active', 1]);
  });

  sharedRule('D19 inputs that two servers were sent count once', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job();
    const group = [inputsOf(job, 0, 3), change({ total: 3 }, {}, job)];
    await a.commit(...group);
    await rejects(b.store.commit(group, b.epoch), 'stale', /were written by another server/);
    const others = [inputsOf(job, 0, 2, 'other'), change({ total: 2 }, {}, job)];
    await rejects(b.store.commit(others, b.epoch), 'stale', /were written by another server/);
    assert.equal((await b.store.readJob(job))?.progress.total, 3);
  });
}

async function staleWrites(server: Server, job: number): Promise<void> {
  const block: BlockRecord = { job, first: 6, count: 6, generation: 0, exceptions: [], epoch: server.epoch };
  const late: Write[] = [
    aSegment(job, 1, 6, 3),
    inputsOf(job, 12, 1),
    aBlock(job, 6, 6, { epoch: server.epoch }),
    { kind: 'blockFreed', block },
    { kind: 'handedOver', lease: leaseId(server.epoch, 1), block },
    aLease(job, 6, 3, 2, server.epoch),
  ];
  for (const write of late) await rejects(server.store.commit([write], server.epoch), 'stale', /was ended by another/);
  await server.commit(
    { kind: 'leaseEnded', lease: leaseId(server.epoch, 1) },
    { kind: 'blockEnded', job, first: 6 },
    { kind: 'attempt', attempt: { job, index: 6, lease: 1, worker: 'w', outcome: 'lost', endedAt: 1, message: '' } },
  );
}

function hunger(makeHome: MakeSharedHome): void {
  sharedRule('D23 an order is in the next pulse of the server that it was left for, once', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    assert.equal(await a.store.shared?.order(b.epoch, 'drain w'), true);
    assert.deepEqual((await a.pulse()).orders, []);
    assert.deepEqual((await b.pulse()).orders, ['drain w']);
    assert.deepEqual((await b.pulse()).orders, []);
    await b.store.close();
    assert.equal(await a.store.shared?.order(b.epoch, 'drain w'), false);
  });

  sharedRule('D22 who finds nothing to claim is seen by the others for a while', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const job = await a.job();
    const wanted = async (server: Server): Promise<boolean | undefined> => (await server.pulse()).jobs[0]?.wanted;
    await a.commit(inputsOf(job, 0, 3));
    assert.equal((await a.pulse()).jobs[0]?.claimable, true);
    assert.equal((await a.store.claim(job, 9, a.epoch)).length, 1);
    assert.deepEqual([await wanted(a), await wanted(b)], [false, false]);
    assert.deepEqual(await b.store.claim(job, 1, b.epoch), []);
    assert.deepEqual([await wanted(a), await wanted(b)], [true, false], 'its own hunger is nobody’s news');
    assert.equal((await a.pulse()).jobs[0]?.claimable, false);
    await farm.later(HUNGER_TIME + 500);
    assert.equal(await wanted(a), false);
    await b.store.claim(job, 1, b.epoch);
    await b.store.close();
    assert.equal(await wanted(a), false, 'the dead are not hungry');
  });

  sharedRule('D22 the pulse tells of tokens that were written', makeHome, async (farm) => {
    const [a, b] = [await farm.join(), await farm.join()];
    const { tokens: before } = await b.pulse();
    assert.equal((await b.pulse()).tokens, before);
    await a.commit({ kind: 'token', token: { id: 't', hash: 'h', role: 'read', name: '', createdAt: 1 } });
    assert.notEqual((await b.pulse()).tokens, before);
    assert.equal((await b.store.listTokens()).length, 1);
  });
}
