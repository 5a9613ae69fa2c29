/** Delegated roles: the order of the search, patterns, names, cycles, and who vouches for whom. */
import assert from 'node:assert/strict';
import { limits } from '#base/limits';
import { cases } from './case.ts';
import type { World } from './client.ts';

const { list, add } = cases('delegations');
export const delegationCases = list;

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly paths?: string[];
  readonly terminating?: boolean;
}

const edge = (from: string, to: string, more: Partial<Edge> = {}): Edge => ({ from, to, ...more });

function build(repo: World['repo'], edges: readonly Edge[]): void {
  for (const { from, to, paths = ['*'], terminating = false } of edges) {
    repo.delegate(from, { name: to, paths, terminating });
  }
}

function publishAll(repo: World['repo'], edges: readonly Edge[]): void {
  repo.publish(...new Set(edges.flatMap(({ from, to }) => [to, from])), 'snapshot', 'timestamp');
}

/** What is asked for after the four top-level roles. */
const visited = (repo: World['repo']): string[] =>
  repo.metadataRequests.slice(4).map((one) => one.replace(/ 1$/, ''));

const graphs: Readonly<Record<string, { edges: Edge[]; order: string[] }>> = {
  'one role': { edges: [edge('targets', 'A')], order: ['A'] },
  'two roles': { edges: [edge('targets', 'A'), edge('targets', 'B')], order: ['A', 'B'] },
  'two levels': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C')],
    order: ['A', 'B', 'C'],
  },
  'depth first over two levels': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C'), edge('A', 'D')],
    order: ['A', 'C', 'D', 'B'],
  },
  'depth first over three levels': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C'), edge('C', 'D')],
    order: ['A', 'C', 'D', 'B'],
  },
  'a terminating role ends the search of all others': {
    edges: [
      edge('targets', 'A'),
      edge('targets', 'B'),
      edge('A', 'C', { terminating: true }),
      edge('A', 'D'),
    ],
    order: ['A', 'C'],
  },
  'a terminating role still asks its own': {
    edges: [
      edge('targets', 'A'),
      edge('targets', 'B'),
      edge('A', 'C', { terminating: true }),
      edge('C', 'D'),
    ],
    order: ['A', 'C', 'D'],
  },
  'a branch whose pattern does not match is not asked': {
    edges: [edge('targets', 'A', { paths: ['*.py'] }), edge('targets', 'B'), edge('A', 'C')],
    order: ['B'],
  },
  'a deeper branch whose pattern does not match is not asked': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C', { paths: ['*.py'] }), edge('C', 'D')],
    order: ['A', 'B'],
  },
  'a cycle is walked once': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('C', 'D'), edge('D', 'B')],
    order: ['A', 'B', 'C', 'D'],
  },
  'a role two others delegate to is reached through the first': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('A', 'C')],
    order: ['A', 'C', 'B'],
  },
  'a role two others delegate to is reached through the one whose pattern matches': {
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('A', 'C', { paths: ['*.py'] })],
    order: ['A', 'B', 'C'],
  },
};

for (const [name, { edges, order }] of Object.entries(graphs)) {
  add(`search order: ${name}`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    build(repo, edges);
    publishAll(repo, edges);
    assert.equal(await client.download('nowhere'), false);
    assert.deepEqual(visited(repo), order);
  });
}

add(
  'no more roles are asked for one target than may be, however many are delegated to',
  async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    const names = Array.from({ length: limits.tufDelegations + 2 }, (_, i) => `R${i}`);
    const last = names.at(-1) as string;
    const edges = names.map((to) => edge('targets', to));
    build(repo, edges);
    repo.addArtifact(last, 'far', 'out of reach');
    repo.addArtifact(names[limits.tufDelegations - 1] as string, 'near', 'in reach');
    publishAll(repo, edges);
    assert.equal(await client.download('far'), false);
    assert.deepEqual(visited(repo), names.slice(0, limits.tufDelegations));
    assert.equal(await client.download('near'), true);
  },
);

const tree = [
  edge('targets', 'A', { paths: ['*.doc', '*.md', 'foo-?.tgz'] }),
  edge('targets', 'B', { paths: ['releases/*/*'] }),
  edge('B', 'C', { paths: ['releases/x/*'] }),
  edge('B', 'D', { paths: ['releases/y/*.zip'] }),
];
const files: readonly (readonly [role: string, path: string])[] = [
  ['targets', 'file'],
  ['A', 'README.md'],
  ['A', 'releases/README.md'],
  ['A', 'foo-1.tgz'],
  ['A', 'foo-alpha.tgz'],
  ['C', 'releases/x/x_v1'],
  ['D', 'releases/y/y_v1.zip'],
  ['D', 'releases/z/z_v1.zip'],
];
const searches: Readonly<Record<string, { path: string; found: boolean; order: string[] }>> = {
  'no delegation is needed': { path: 'file', found: true, order: [] },
  'a star matches': { path: 'README.md', found: true, order: ['A'] },
  'stars match folder by folder, x': { path: 'releases/x/x_v1', found: true, order: ['B', 'C'] },
  'stars match folder by folder, y': { path: 'releases/y/y_v1.zip', found: true, order: ['B', 'D'] },
  'every role on the way must delegate': { path: 'releases/z/z_v1.zip', found: false, order: ['B'] },
  'a star does not cross a slash': { path: 'releases/README.md', found: false, order: [] },
  'a question mark is one character': { path: 'foo-1.tgz', found: true, order: ['A'] },
  'a question mark is not five characters': { path: 'foo-alpha.tgz', found: false, order: [] },
  'case matters': { path: 'README.MD', found: false, order: [] },
};
for (const [name, { path, found, order }] of Object.entries(searches)) {
  add(`pattern: ${name}`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    build(repo, tree);
    for (const [role, file] of files) repo.addArtifact(role, file, `${file} by ${role}`);
    publishAll(repo, tree);
    assert.equal(await client.download(path), found);
    assert.equal((await client.downloaded()).length, found ? 1 : 0);
    assert.deepEqual(visited(repo), order);
  });
}

add('a role verified through one delegator is not trusted through another', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.delegate('targets', { name: 'parent-a', paths: ['team-a/*'] });
  repo.delegate('targets', { name: 'parent-b', paths: ['team-b/*'] });
  const key = repo.delegate('parent-a', { name: 'release', paths: ['team-a/*'] });
  repo.delegate('parent-b', { name: 'release', paths: ['team-b/*'] });
  repo.signers.set('release', [key]);
  repo.addArtifact('release', 'team-a/root.json', 'good');
  repo.addArtifact('release', 'team-b/root.json', 'bad');
  repo.publish('release', 'parent-a', 'parent-b', 'targets', 'snapshot', 'timestamp');
  assert.equal(await client.download('team-a/root.json', 'team-b/root.json'), false);
  assert.deepEqual(await client.downloaded(), ['good']);
});

add('a role the snapshot does not list is not even asked for', async ({ repo, client }) => {
  assert.ok(await client.init(repo.last('root') as Uint8Array));
  repo.delegate('targets', { name: 'delegated', paths: ['some/*'] });
  repo.publish('delegated', 'targets');
  delete repo.snapshot.meta['delegated.json'];
  repo.publish('snapshot', 'timestamp');
  assert.ok(await client.refresh());
  repo.metadataRequests.length = 0;
  assert.equal(await client.download('some/file'), false);
  assert.equal(await client.version('delegated'), undefined);
  assert.deepEqual(repo.metadataRequests, ['root 2', 'timestamp']);
});

for (const role of ['?', '#', '/delegated', '../delegated']) {
  add(`a role named ${role} is asked for and kept under an encoded name`, async ({ repo, client }) => {
    assert.ok(await client.init(repo.last('root') as Uint8Array));
    repo.delegate('targets', { name: role, paths: ['*'] });
    repo.publish(role, 'targets', 'snapshot', 'timestamp');
    assert.equal(await client.download('nothing'), false);
    assert.ok(repo.metadataRequests.includes(`${encodeURIComponent(role)} 1`));
    assert.equal((await client.trusted()).length, 5);
  });
}
