/** Rotation of keys and thresholds: of root from version to version, of the other roles by a new root. */
import assert from 'node:assert/strict';
import { cases } from './case.ts';
import { TestKey } from './keys.ts';

const { list, add } = cases('rotation');
export const rotationCases = list;

/** Which of ten keys a version lists, how many must sign, which sign. */
interface Version {
  readonly keys: readonly number[];
  readonly threshold: number;
  readonly signers: readonly number[];
}

const v = (keys: readonly number[], threshold: number, signers: readonly number[]): Version => ({
  keys,
  threshold,
  signers,
});
const five = [0, 1, 2, 3, 4];
const oneNew = [0, 1, 3, 4, 5];
const allNew = [5, 6, 7, 8, 9];

/** The client ends with the last version when it is good, with the one before when it is not. */
const roots: Readonly<Record<string, { versions: Version[]; isGood: boolean }>> = {
  'a new key, signed by both': {
    versions: [v([1], 1, [1]), v([2], 1, [2, 1]), v([2], 1, [2])],
    isGood: true,
  },
  'a new key, among signatures of strangers': {
    versions: [v([1], 1, [3, 1, 4]), v([2], 1, [3, 2, 1, 4]), v([2], 1, [3, 2, 4])],
    isGood: true,
  },
  'three of five, another three each time': {
    versions: [v(five, 3, [0, 2, 4]), v(five, 3, [0, 4, 1]), v(five, 3, [0, 1, 3]), v(five, 3, [0, 1, 3])],
    isGood: true,
  },
  'three of five, one replaced': {
    versions: [v(five, 3, [0, 2, 4]), v(oneNew, 3, [0, 4, 1])],
    isGood: true,
  },
  'three of five, one replaced with a step between': {
    versions: [v(five, 3, [0, 2, 4]), v(oneNew, 3, [0, 2, 4, 5]), v(oneNew, 3, [0, 4, 5])],
    isGood: true,
  },
  'three of five, all replaced with a step between': {
    versions: [v(five, 3, [0, 2, 4]), v(allNew, 3, [0, 2, 4, 5, 6, 7]), v(allNew, 3, [5, 6, 7])],
    isGood: true,
  },
  'from one of three to two of three': {
    versions: [v([1, 2, 3], 1, [1]), v([1, 2, 3], 2, [1, 2])],
    isGood: true,
  },
  'from two of three to one of three': {
    versions: [v([1, 2, 3], 2, [1, 2]), v([1, 2, 3], 1, [1, 2]), v([1, 2, 3], 1, [1])],
    isGood: true,
  },
  'from one of one to two of two': {
    versions: [v([1], 1, [1]), v([1, 2], 2, [1, 2])],
    isGood: true,
  },
  'a new key without the old one’s signature': {
    versions: [v([1], 1, [1]), v([2], 1, [2, 3, 4])],
    isGood: false,
  },
  'a new key without its own signature': {
    versions: [v([1], 1, [1]), v([2], 1, [1, 3, 4])],
    isGood: false,
  },
  'one of five replaced, not signed by three new ones': {
    versions: [v(five, 3, [0, 2, 4]), v(oneNew, 3, [0, 2, 4])],
    isGood: false,
  },
  'one of five replaced, not signed by three old ones': {
    versions: [v(five, 3, [0, 2, 4]), v(oneNew, 3, [0, 4, 5])],
    isGood: false,
  },
  'a higher threshold that the new version does not meet': {
    versions: [v([1, 2, 3], 1, [1]), v([1, 2, 3], 2, [2])],
    isGood: false,
  },
  'a lower threshold that the old version’s signers do not meet': {
    versions: [v([1, 2, 3], 2, [1, 2]), v([1, 2, 3], 1, [1])],
    isGood: false,
  },
};

const tenKeys = (): TestKey[] => Array.from({ length: 10 }, () => new TestKey());

for (const [name, { versions, isGood }] of Object.entries(roots)) {
  add(`root: ${name}`, async ({ repo, client }) => {
    const keys = tenKeys();
    repo.startAgain('root');
    for (const { keys: listed, threshold, signers } of versions) {
      repo.roleKeys('root').keyids = [];
      repo.roleKeys('root').threshold = threshold;
      for (const index of listed) repo.addKey('root', keys[index]);
      repo.signers.set(
        'root',
        signers.map((index) => keys[index] as TestKey),
      );
      repo.publish('root');
    }
    repo.publish('targets', 'snapshot', 'timestamp');
    const published = repo.published.get('root') as Uint8Array[];
    assert.ok(await client.init(published[0] as Uint8Array));
    assert.equal(await client.refresh(), isGood);
    const kept = published.at(isGood ? -1 : -2) as Uint8Array;
    assert.deepEqual(await client.bytes('root'), Buffer.from(kept));
  });
}

const others: Readonly<Record<string, { version: Version; isGood: boolean }>> = {
  'a new key': { version: v([2], 1, [2]), isGood: true },
  'a key among signatures of strangers': { version: v([1], 1, [3, 1, 4]), isGood: true },
  'a new key that did not sign': { version: v([2], 1, [1, 3, 4]), isGood: false },
  'three signatures, one of a key that is not listed': { version: v(oneNew, 3, [0, 2, 4]), isGood: false },
  'two signatures of three': { version: v(oneNew, 3, [0, 4]), isGood: false },
  'three of five, first': { version: v(five, 3, [0, 2, 4]), isGood: true },
  'three of five, second': { version: v(five, 3, [0, 4, 1]), isGood: true },
  'three of five, third': { version: v(five, 3, [0, 1, 3]), isGood: true },
  'three of five, fourth': { version: v(five, 3, [1, 2, 3]), isGood: true },
  'three of five, fifth': { version: v(five, 3, [2, 3, 4]), isGood: true },
};
for (const [name, { version, isGood }] of Object.entries(others)) {
  add(`timestamp, snapshot and targets: ${name}`, async ({ repo, client }) => {
    const keys = tenKeys();
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      repo.roleKeys(role).keyids = [];
      repo.roleKeys(role).threshold = version.threshold;
      for (const index of version.keys) repo.addKey(role, keys[index]);
      repo.signers.set(
        role,
        version.signers.map((index) => keys[index] as TestKey),
      );
      repo.publish('root', 'targets', 'snapshot', 'timestamp');
      assert.equal(await client.refresh(), isGood, role);
      if (isGood) assert.deepEqual(await client.bytes(role), Buffer.from(repo.last(role) ?? []));
    }
  });
}
