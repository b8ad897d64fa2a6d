import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countSpawned, isSpawnedBy, type Spawned, spawnedBy } from './spawned.ts';

const spawned: Spawned = [
  [2, 1],
  [3, 4],
  [9, 2],
];
const all = [
  { start: 0, count: 4 },
  { start: 8, count: 2 },
];

test('P28: what some tasks gave is found behind the outcomes of all', () => {
  assert.equal(countSpawned(spawned), 7);
  assert.deepEqual(spawnedBy([{ start: 3, count: 1 }], spawned, all), {
    spawned: [[3, 4]],
    positions: [{ start: 7, count: 4 }],
  });
  const rest = [
    { start: 0, count: 3 },
    { start: 8, count: 2 },
  ];
  assert.deepEqual(spawnedBy(rest, spawned, all), {
    spawned: [
      [2, 1],
      [9, 2],
    ],
    positions: [
      { start: 6, count: 1 },
      { start: 11, count: 2 },
    ],
  });
  assert.deepEqual(spawnedBy([], spawned, all), { spawned: [], positions: [] });
});

test('P28: what is not sorted, of other tasks, or of none, is told', () => {
  assert.ok(isSpawnedBy(all, spawned));
  const wrong: Spawned[] = [[[5, 1]], [[3, 0]], [[3, 1], [2, 1]], [[3, 1], [3, 1]]]; // biome-ignore format: one line
  for (const each of wrong) assert.ok(!isSpawnedBy(all, each), JSON.stringify(each));
});
