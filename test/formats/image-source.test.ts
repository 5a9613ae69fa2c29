/** Names of images on this machine: told in one place, for whoever opens, signs or checks them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineKinds, fileKinds, parseEngineSource, parseFileSource } from '#formats/image-source';

const digest = `sha256:${'a'.repeat(64)}`;

test('a folder or file is named by its path, with a tag or a digest behind it', () => {
  for (const kind of fileKinds) {
    assert.deepEqual(parseFileSource(`${kind}:a/b`), { kind, path: 'a/b' });
    assert.deepEqual(parseFileSource(`${kind}:a/b:1.0`), { kind, path: 'a/b', tag: '1.0' });
    assert.deepEqual(parseFileSource(`${kind}:a/b@${digest}`), { kind, path: 'a/b', digest });
    assert.equal(parseEngineSource(`${kind}:a/b`), undefined);
  }
});

test('a colon in front of a folder belongs to the path, and so does what is no digest', () => {
  assert.deepEqual(parseFileSource('oci:C:/images/app'), { kind: 'oci', path: 'C:/images/app' });
  assert.deepEqual(parseFileSource('oci:a@b'), { kind: 'oci', path: 'a@b' });
  assert.deepEqual(parseFileSource('oci:a@b:1'), { kind: 'oci', path: 'a@b', tag: '1' });
});

test('an engine gets the name as it is', () => {
  for (const engine of engineKinds) {
    assert.deepEqual(parseEngineSource(`${engine}:team/app:1@${digest}`), {
      engine,
      name: `team/app:1@${digest}`,
    });
    assert.equal(parseFileSource(`${engine}:app`), undefined);
  }
});

test('a reference to a registry is neither, and no name is none', () => {
  for (const text of ['app', 'docker.io/library/docker:27', 'oci.example/app', 'oci:', 'docker:', 'OCI:a']) {
    assert.equal(parseFileSource(text), undefined, text);
    assert.equal(parseEngineSource(text), undefined, text);
  }
});
