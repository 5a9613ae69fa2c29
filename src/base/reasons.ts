import { defineReasons } from './reason.ts';

export const R = defineReasons({
  utf8: {
    code: 'WB-101',
    check: 'bytes.utf8',
    side: 'input',
    summary: 'Text is not valid UTF-8.',
    hint: 'encode the file as UTF-8',
  },
  hex: {
    code: 'WB-102',
    check: 'bytes.hex',
    side: 'input',
    summary: 'A value is not lower-case hexadecimal.',
    hint: 'write the value as lower-case hex digits',
  },
  base64: {
    code: 'WB-103',
    check: 'bytes.base64',
    side: 'input',
    summary: 'A value is not canonical base64.',
    hint: 're-encode the value with standard base64 and padding',
  },
  digest: {
    code: 'WB-104',
    check: 'digest.form',
    side: 'input',
    summary: 'A digest does not have the form algorithm:hex.',
    hint: 'write sha256: followed by 64 lower-case hex digits',
  },
  publicKey: {
    code: 'WB-105',
    check: 'key.public',
    side: 'input',
    class: 'unsupported',
    summary: 'A public key cannot be read or is of a kind that is not supported.',
    hint: 'give an ECDSA P-256/P-384/P-521, RSA (2048 bits or more) or Ed25519 key as SubjectPublicKeyInfo',
  },
  privateKey: {
    code: 'WB-106',
    check: 'key.private',
    side: 'input',
    summary: 'A private key cannot be read.',
    hint: 'give an unencrypted PKCS#8 key, or set the password it was encrypted with',
  },
});
