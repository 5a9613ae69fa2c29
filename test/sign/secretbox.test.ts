import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#base/bytes';
import { secretboxOpen, secretboxSeal } from '../../src/sign/secretbox.ts';

// The example of the NaCl distribution (tests/secretbox.c): key, nonce, message and what it seals to.
const key = fromHex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389');
const nonce = fromHex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37');
const message = fromHex(
  'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01' +
    '233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd' +
    '4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
);
const box = fromHex(
  'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c' +
    '98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfea' +
    'bd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
);

test('the example of NaCl seals to its known box', () => {
  assert.equal(toHex(secretboxSeal(key, nonce, message)), toHex(box));
});

test('the known box opens', () => {
  assert.equal(toHex(secretboxOpen(key, nonce, box) as Uint8Array), toHex(message));
});

test('every changed byte of a box is noticed', () => {
  for (let i = 0; i < box.length; i++) {
    const bad = Uint8Array.from(box);
    bad[i] = (bad[i] as number) ^ 0x80;
    assert.equal(secretboxOpen(key, nonce, bad), undefined, `byte ${i}`);
  }
  assert.equal(secretboxOpen(key, nonce, box.subarray(0, 15)), undefined);
});

test('messages of every length up to three blocks survive', () => {
  for (let length = 0; length < 200; length++) {
    const text = Uint8Array.from({ length }, (_, i) => i);
    assert.deepEqual(secretboxOpen(key, nonce, secretboxSeal(key, nonce, text)), text);
  }
});
