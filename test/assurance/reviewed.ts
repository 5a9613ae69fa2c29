/**
 * Table of checks whose removal no test notices, each looked at by a person: the change alters no verdict. An
 * entry is the reason why nothing can notice, and the mutants it is true of (file, function, change, text).
 */
const table: readonly (readonly [why: string, ...mutants: string[]])[] = [
  [
    'a byte behind the end of an array is not written',
    'src/base/bytes.ts decodeShort: always: if (padding === 1) out[at] = bits >> 8;',
  ],
  [
    'the low bits are those of the padding: minus one never comes',
    'src/base/bytes.ts decodeShort: bound - 1: bits < 0 (2)',
  ],
  [
    'groups begin at multiples of four, and so does the end',
    'src/base/bytes.ts decodeShort: bound - 1: from < whole',
  ],
  [
    'a group that is not whole reads past the end, which is outside the alphabet',
    'src/base/bytes.ts decodeShort: never: if (length % 4 !== 0) return undefined;',
  ],
  [
    'a text of no characters has no groups and no padding: the same empty bytes',
    'src/base/bytes.ts decodeShort: never: if (length === 0) return new Uint8Array(0);',
  ],
  [
    'comparing finds another length as well',
    'src/base/bytes.ts equalBytes: only the right: a.length === b.length && Buffer.compare(a, b) === 0',
  ],
  [
    'character 127 is outside the alphabet by the table as well',
    'src/base/bytes.ts sextet: bound - 1: code < 128',
  ],
  [
    'both ways of decoding accept the same texts and give the same bytes',
    'src/base/bytes.ts tryBase64: <= as <: text.length <= SHORT_BASE64',
    'src/base/bytes.ts tryBase64: always: if (text.length <= SHORT_BASE64) return decodeShort(text);',
    'src/base/bytes.ts tryBase64: bound + 1: text.length <= SHORT_BASE64',
    'src/base/bytes.ts tryBase64: never: if (text.length <= SHORT_BASE64) return decodeShort(text);',
  ],
  [
    'the strict decoder reads every text the quick one reads, only slower',
    "src/base/bytes.ts utf8Text: never: if (!text.includes('\\ufffd')) return text;",
  ],
  [
    'OpenSSL refuses keys and signatures of another length itself, and knows the kind by the head',
    'src/base/crypto.ts verifyMlDsa44: never: if (key.length !== mlDsa44.publicKeyBytes || signature.length !== mlDsa44.signatureBytes) return false;',
    'src/base/crypto.ts verifyMlDsa44: only the left: key.length !== mlDsa44.publicKeyBytes || signature.length !== mlDsa44.signatureBytes',
    "src/base/crypto.ts verifyMlDsa44: only the right: handle.asymmetricKeyType === 'ml-dsa-44' && nodeVerify(null, data, handle, signature)",
    'src/base/crypto.ts verifyMlDsa44: only the right: key.length !== mlDsa44.publicKeyBytes || signature.length !== mlDsa44.signatureBytes',
  ],
  [
    'the native parser accepts the same keys, and says the same of them',
    'src/base/crypto.ts publicKeyFromSpki: never: if (curve !== undefined) return ok(lazyPublicKey(spki as Der, curve, 0));',
  ],
  [
    'zero has no inverse: the next step throws',
    "src/base/ecdsa-digest.ts addPoints: never: if (a.x === b.x) throw new Error('points with equal x');",
  ],
  [
    'the signature as it stands is OpenSSL’s to judge: a number misread here can only fail',
    'src/base/ecdsa-digest.ts firstInteger: < as <=: (bytes[0] as number) < 0x80',
    'src/base/ecdsa-digest.ts firstInteger: > as >=: length > 0x7f',
    'src/base/ecdsa-digest.ts firstInteger: always: bytes.length === length && (bytes[0] as number) < 0x80 ? toNumber(bytes) : undefined',
    'src/base/ecdsa-digest.ts firstInteger: bound + 1: length > 0x7f',
    'src/base/ecdsa-digest.ts firstInteger: never: if (der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0 || length > 0x7f) { return undefined; }',
    'src/base/ecdsa-digest.ts firstInteger: only the left: bytes.length === length && (bytes[0] as number) < 0x80',
    'src/base/ecdsa-digest.ts firstInteger: only the left: der[0] !== 0x30 || der[at] !== 0x02',
    'src/base/ecdsa-digest.ts firstInteger: only the left: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined',
    'src/base/ecdsa-digest.ts firstInteger: only the left: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0',
    'src/base/ecdsa-digest.ts firstInteger: only the left: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0 || length > 0x7f',
    'src/base/ecdsa-digest.ts firstInteger: only the right: bytes.length === length && (bytes[0] as number) < 0x80',
    'src/base/ecdsa-digest.ts firstInteger: only the right: der[0] !== 0x30 || der[at] !== 0x02',
    'src/base/ecdsa-digest.ts firstInteger: only the right: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined',
    'src/base/ecdsa-digest.ts firstInteger: only the right: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0',
    'src/base/ecdsa-digest.ts firstInteger: only the right: der[0] !== 0x30 || der[at] !== 0x02 || length === undefined || length === 0 || length > 0x7f',
  ],
  [
    'only time: one step after the other arrives at the same inverse',
    'src/base/curves.ts inverse: always: if (q === 0) { const quotient = a / b; [a, b] = [b, a - quotient * b]; [x, y] = [y, x - quotient * y]; } else { const [bp, bq, br, bs] = [BigInt(p), BigInt(q), ',
    'src/base/curves.ts leadingSteps: always: if (quotient !== Math.floor((high + q) / (low + s))) break;',
  ],
  ['no point of these curves has y = 0: their order is odd', 'src/base/curves.ts isOnCurve: < as <=: y < p'],
  [
    'no key verifies nothing: what that throws is caught, which is false',
    "src/base/ecdsa-digest.ts verifyEcdsaDigest: only the right: moved !== undefined && verifySignature(moved, MESSAGE, signature, 'sha256')",
    "src/base/ecdsa-digest.ts verifyEcdsaDigestAsync: only the right: moved !== undefined && verifySignatureAsync(moved, MESSAGE, signature, 'sha256')",
  ],
  [
    'only time: a multiplier made anew gives the same point',
    'src/base/ecdsa-digest.ts multiply: not called: multipliers.set(curve.openssl, ecdh);',
  ],
  [
    'the slow way to the point gives the same point',
    'src/base/ecdsa-digest.ts pointOf: never: isUsual ? key.spki.subarray(spkiHead.length - 1) : ecPoint(key)',
  ],
  [
    'nothing of no bytes is turned into a number: digests and integers are longer',
    "src/base/curves.ts toNumber: only the left: toHex(bytes) || '0'",
  ],
  [
    'a key of another kind has no curve: what follows throws, which is false',
    "src/base/ecdsa-digest.ts movedKey: never: if (key.kind !== 'p256' && key.kind !== 'p384' && key.kind !== 'p521') return undefined;",
  ],
  [
    'without a number in range there is no inverse, and OpenSSL refuses the signature itself',
    'src/base/ecdsa-digest.ts move: >= as >: r >= n',
    'src/base/ecdsa-digest.ts move: never: if (r === undefined || r === 0n || r >= n) return undefined;',
    'src/base/ecdsa-digest.ts move: only the left: r === undefined || r === 0n',
    'src/base/ecdsa-digest.ts move: only the left: r === undefined || r === 0n || r >= n',
    'src/base/ecdsa-digest.ts move: only the right: r === undefined || r === 0n',
    'src/base/ecdsa-digest.ts move: only the right: r === undefined || r === 0n || r >= n',
  ],
  ['an element has at least two bytes', 'src/formats/der.ts children: bound - 1: at < this.end'],
  ['eighty is two times forty: both ways say 2', 'src/formats/der.ts dotted: < as <=: arc < 80'],
  [
    'behind the end there is no byte',
    'src/formats/der.ts ia5Text: < as <=: i < bytes.length',
    'src/formats/der.ts utf8Value: < as <=: i < bytes.length',
  ],
  [
    'texts are only remembered',
    'src/formats/der.ts oidText: < as <=: oidTexts.size < OID_TEXTS_MAX',
    'src/formats/der.ts oidText: === as !==: known === undefined',
    'src/formats/der.ts oidText: always: if (known === undefined && oidTexts.size < OID_TEXTS_MAX) oidTexts.set(key, { bytes: node.body.slice(), text });',
    'src/formats/der.ts oidText: bound - 1: oidTexts.size < OID_TEXTS_MAX',
    'src/formats/der.ts oidText: never: if (known === undefined && oidTexts.size < OID_TEXTS_MAX) oidTexts.set(key, { bytes: node.body.slice(), text });',
    'src/formats/der.ts oidText: not called: oidTexts.set(key, { bytes: node.body.slice(), text });',
    'src/formats/der.ts oidText: only the left: known === undefined && oidTexts.size < OID_TEXTS_MAX',
    'src/formats/der.ts oidText: only the right: known === undefined && oidTexts.size < OID_TEXTS_MAX',
  ],
  [
    'the strict decoder reads ASCII the same',
    'src/formats/der.ts utf8Value: always: if ((bytes[i] as number) >= 0x80) return utf8Text(bytes);',
    'src/formats/der.ts utf8Value: bound - 1: (bytes[i] as number) >= 0x80',
  ],
  [
    'a member that is undefined says the same as none',
    'src/formats/dsse.ts parseEnvelope: never: maxBytes === undefined ? {} : { maxBytes }',
    'src/formats/rekor-v1.ts logEntryV1Json: never: promise === undefined ? {} : { signedEntryTimestamp: toBase64(promise) }',
    'src/formats/rekor-v1.ts logEntryV1Json: never: proof === undefined ? {} : { inclusionProof: { checkpoint: proof.checkpoint, hashes: proof.hashes.map(toHex), logIndex: proof.logIndex, rootHash: toHex(proof.ro',
    'src/formats/rekor-v1.ts parseLogEntryV1: never: promise === undefined ? {} : { inclusionPromise: promise }',
    'src/formats/tlog-entry.ts readTlogEntry: never: promise === undefined ? {} : { inclusionPromise: promise }',
    'src/formats/trusted-root.ts readLog: never: checkpointKeyId === undefined ? {} : { checkpointKeyId }',
  ],
  [
    'of a refused list only none or too many are told apart: one is neither',
    'src/formats/intoto.ts readDigests: bound + 1: entries.length > 0',
    'src/formats/intoto.ts readSubjects: bound + 1: subjects.length > 0',
  ],
  [
    'only numbers are safe integers',
    "src/formats/json-reader.ts integer: only the right: typeof number !== 'number' || !Number.isSafeInteger(number)",
  ],
  [
    'what is undefined is undefined either way',
    'src/formats/json-reader.ts member: only the right: value === undefined || Object.hasOwn(object, key)',
  ],
  [
    'the names are only remembered',
    'src/formats/json-reader.ts snake: always: if (name === undefined) { name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`); snakeNames.set(key, name); }',
    'src/formats/json-reader.ts snake: not called: snakeNames.set(key, name);',
  ],
  [
    'a key without backslash decodes to itself, or the document is no JSON',
    "src/formats/json.ts addKey: always: raw.includes('\\\\') ? decode(raw) : raw.slice(1, -1)",
  ],
  [
    'keys are expected in objects alone, which have a set',
    'src/formats/json.ts addKey: only the right: keys === undefined || key === undefined',
  ],
  [
    'a string without an escape is well-formed: the text is',
    "src/formats/json.ts checkString: always: if (raw.includes('\\\\u')) decode(raw);",
  ],
  [
    'behind the end there is no character',
    'src/formats/json.ts checkStructure: < as <=: at < text.length',
    'src/formats/json.ts countMembers: < as <=: at < text.length',
  ],
  [
    'a string cannot end where the text begins',
    'src/formats/json.ts checkStructure: < as <=: end < 0',
    'src/formats/json.ts countMembers: < as <=: end < 0',
  ],
  [
    'a string is looked at for escapes before it is decoded',
    'src/formats/json.ts checkStructure: always: if (unicodeEscapes) checkString(text.slice(at, end + 1));',
  ],
  [
    'a string literal decodes to a string',
    "src/formats/json.ts decode: only the right: typeof value !== 'string' || value.isWellFormed()",
  ],
  [
    'null has no members, and a wrong count only sends the document to the thorough reading',
    'src/formats/json.ts membersOf: === as !==: value === null',
    "src/formats/json.ts membersOf: always: if (typeof value !== 'object' || value === null) return 0;",
    "src/formats/json.ts membersOf: only the left: typeof value !== 'object' || value === null",
  ],
  [
    'the thorough reading refuses the same documents, only slower',
    'src/formats/json.ts parseJson: always: if (membersOf(value) !== written) checkStructure(text);',
    "src/formats/json.ts parseJson: always: if (text.includes('\\\\u') || text.includes('__proto__')) { checkStructure(text); return parseText(text); }",
  ],
  [
    'a string ends behind where it begins, and before the text there is no backslash',
    'src/formats/json.ts stringEnd: > as >=: end > 0',
    'src/formats/json.ts stringEnd: bound + 1: end > 0',
    'src/formats/json.ts stringEnd: only the right: end > 0 && isEscaped(text, end)',
  ],
  [
    'between equal sizes the walk ends before its first step',
    'src/formats/merkle.ts consistencyRanges: only the left: first === 0 || first === second',
  ],
  [
    'at is zero only where last is, and that ended the walk before',
    'src/formats/merkle.ts rootFromInclusion: only the left: at % 2 === 0 && at !== 0',
    'src/formats/merkle.ts rootsFromConsistency: only the left: at % 2 === 0 && at !== 0',
  ],
  [
    'without hashes the walk ends above the root, which is a wrong number too',
    'src/formats/merkle.ts rootsFromConsistency: never: if (seed === undefined) return undefined;',
  ],
  [
    'a text that is split has at least one line',
    "src/formats/note.ts parseNote: never: if (!isNonEmpty(signatures)) throw malformed('at least one signature', 'none');",
  ],
  ['base64 comes in fours', 'src/formats/pem.ts pemEncode: bound - 1: at < text.length'],
  [
    'lines before a block are forgotten where it begins',
    'src/formats/pem.ts readBlocks: always: if (label !== undefined) lines.push(line.trim());',
  ],
  [
    'equal signatures may stand in either order',
    'src/formats/rekor-v1.ts dsseV1Body: < as <=: a.signature < b.signature',
  ],
  [
    'what objects inherit is no length',
    'src/formats/rekor-v1.ts readHash: only the right: !Object.hasOwn(hashBytes, algorithm) || hashBytes[algorithm] !== value.length',
  ],
  [
    'a member without a name is not there, which the next step refuses',
    'src/formats/rekor-v2.ts readVerifier: only the right: kind === undefined || kinds.length > 1',
  ],
  [
    'an extension that was parsed begins with its identifier',
    'src/formats/sct.ts isLogOwn: never: if (oid === undefined) return false;',
  ],
  [
    'an extension has more than one byte',
    'src/formats/sct.ts precertTbs: bound + 1: extension.start > from',
    'src/formats/sct.ts precertTbs: bound + 1: list.end > from',
  ],
  [
    'a certificate that was parsed has extensions',
    'src/formats/sct.ts precertTbs: never: if (explicit === undefined || list === undefined) return tbsNode.raw;',
    'src/formats/sct.ts precertTbs: only the left: explicit === undefined || list === undefined',
    'src/formats/sct.ts precertTbs: only the right: explicit === undefined || list === undefined',
  ],
  [
    'it chooses words of the refusal only',
    'src/formats/tsp.ts parseTimeStampResponse: !== as ===: token !== undefined (2)',
  ],
  ['two is even', 'src/formats/x509-algorithms.ts rsaModulusBits: bound - 1: exponent < 3'],
  [
    'a leading zero stands only before a byte whose first bit is set',
    'src/formats/x509-algorithms.ts rsaModulusBits: never: first === 0 ? 1 : 0',
  ],
  [
    'behind the end there are no bits',
    'src/formats/x509-extensions.ts readKeyUsage: < as <=: bit < (body.length - 1) * 8',
  ],
  [
    'one issuer agrees with itself',
    'src/formats/x509.ts checkIssuerClaims: only the left: first === undefined || second === undefined',
  ],
  [
    'names that are there name somebody: an empty list was refused',
    'src/formats/x509.ts checkSubject: only the right: certificate.sans.length === 0 || certificate.extensions.get(oids.subjectAltName)?.critical !== true',
  ],
  [
    'a short serial number is short enough, its sign octet counted or not',
    'src/formats/x509.ts readSerial: > as >=: body.length > 1',
    'src/formats/x509.ts readSerial: bound + 1: body.length > 1',
    'src/formats/x509.ts readSerial: only the right: body.length > 1 && body[0] === 0',
  ],
  ['times of certificates are whole seconds', 'src/formats/x509.ts readTbs: bound - 1: notAfter < notBefore'],
  ['it chooses words of the refusal only', 'src/verify/chain.ts timeFault: === as !==: outside === leaf'],
  [
    'where types are required, content without one was refused before',
    "src/verify/checks.ts predicate: only the left: required.kind === 'any' || type.value === undefined",
  ],
  [
    'a requirement of identities and a bare key never meet here: the verifier refuses them at its beginning',
    "src/verify/checks.ts sct: only the left: required.kind === 'notApplicable' || issued === undefined",
    "src/verify/checks.ts sct: only the right: required.kind === 'notApplicable' || issued === undefined",
    "src/verify/checks.ts signer: never: if (issued === undefined) { return err(reason(R.certificateMissing, { expected: 'a certificate', actual: 'a bare key' })); }",
  ],
  [
    'other content has no digest beside it',
    "src/verify/content.ts checkDigestHint: always: entity.content.kind === 'message' ? entity.content.digest : undefined",
  ],
  [
    'undefined is in no list of types',
    'src/verify/content.ts checkPredicate: only the right: type !== undefined && required.types.includes(type)',
  ],
  [
    'no object inherits the name of a digest',
    'src/verify/content.ts matchSubject: always: Object.hasOwn(digest, name) ? digest[name] : undefined',
  ],
  [
    'a signature of another length is refused by the scheme as well',
    "src/verify/ed25519ph.ts verifyEd25519phDigest: never: if (key.kind !== 'ed25519' || digest.length !== 64 || signature.length !== 64) return false;",
    "src/verify/ed25519ph.ts verifyEd25519phDigest: only the left: key.kind !== 'ed25519' || digest.length !== 64 || signature.length !== 64",
    "src/verify/ed25519ph.ts verifyEd25519phDigest: only the right: key.kind !== 'ed25519' || digest.length !== 64 || signature.length !== 64",
  ],
  [
    'who asks has an Ed25519 key and a SHA-512 value, and the scheme refuses other signatures itself',
    "src/verify/ed25519ph.ts verifyEd25519phDigest: only the left: key.kind !== 'ed25519' || digest.length !== 64",
    "src/verify/ed25519ph.ts verifyEd25519phDigest: only the right: key.kind !== 'ed25519' || digest.length !== 64",
  ],
  [
    'a member that is undefined says the same as none',
    'src/verify/entity.ts entityOf: never: content.digest === undefined ? {} : { digest: content.digest }',
    'src/verify/requirements.ts identity: never: input.sanType === undefined ? {} : { sanType: input.sanType }',
    'src/verify/requirements.ts requireKey: never: validFor === undefined ? {} : { validFor }',
    "src/verify/verifier.ts contentOf: always: claims.kind === 'simpleSigning' ? { simpleSigning: claims.simpleSigning } : {}",
  ],
  [
    'what is the usual entry to the byte is accepted by the comparison part by part as well',
    'src/verify/entry-body.ts checkBodyV1: never: if (isExpectedBody(entry, binding)) return ok(undefined);',
    'src/verify/entry-body.ts checkBodyV2: never: if (isExpectedLeaf(entry, binding)) return ok(undefined);',
    "src/verify/entry-body.ts isExpectedBody: always: if (entry.kind !== 'hashedrekord' || entry.version !== '0.0.1') return false;",
    'src/verify/entry-body.ts isExpectedBody: always: if (value === undefined) return false;',
    'src/verify/entry-body.ts isExpectedLeaf: === as !==: algorithm === undefined (2)',
    'src/verify/entry-body.ts isExpectedLeaf: === as !==: name === undefined (2)',
    'src/verify/entry-body.ts isExpectedLeaf: always: algorithm === undefined ? undefined : signed.digest(algorithm)',
    "src/verify/entry-body.ts isExpectedLeaf: always: if (entry.kind !== 'hashedrekord' || entry.version !== '0.0.2') return false;",
    'src/verify/entry-body.ts isExpectedLeaf: always: if (name === undefined || algorithm === undefined || value === undefined) return false;',
    'src/verify/entry-body.ts isExpectedLeaf: always: name === undefined ? undefined : keyDetails[name].hash',
    'src/verify/entry-body.ts isExpectedLeaf: only the left: name === undefined || algorithm === undefined',
    'src/verify/entry-body.ts isExpectedLeaf: only the right: name === undefined || algorithm === undefined',
    'src/verify/entry-body.ts isExpectedLeaf: only the right: name === undefined || algorithm === undefined || value === undefined',
  ],
  [
    'hashes are only remembered',
    'src/verify/hashed.ts digest: always: if (value === undefined) { value = hash(algorithm, input); computed.set(algorithm, value); }',
  ],
  [
    'no object inherits the name of an annotation',
    'src/verify/legacy.ts annotation: always: Object.hasOwn(layer.annotations, name) ? layer.annotations[name] : undefined',
  ],
  [
    'an envelope without signatures was refused when it was read',
    'src/verify/legacy.ts parseLegacyLayer: only the right: only === undefined || more.length > 0',
  ],
  [
    'undefined is less than no number',
    'src/verify/material.ts issuersFault: only the right: issuer.pathLen !== undefined && issuer.pathLen < below',
  ],
  [
    'no log is valid at no time, so the first is taken either way',
    'src/verify/material.ts logAt: never: ms === undefined ? undefined : logs.find((log) => isValidAt(log.validFor, ms))',
  ],
  [
    'where no stamp counts, the failure of the first is known',
    'src/verify/sct.ts verifyScts: only the left: operators.size === 0 && fault !== undefined',
  ],
  [
    'a hash value of 64 bytes is of SHA-512 alone, and no other is taken',
    "src/verify/signature.ts verifyHashSignature: only the right: algorithm === 'sha512' && verifyEd25519phDigest(key, digest, signature)",
  ],
  [
    'the hash of the bytes decides the same, only slower',
    'src/verify/signature.ts verifyUnder: never: if (content.bytes !== undefined) return verifySignature(key, content.bytes, signature, hash);',
  ],
  [
    'a member without a name is not there, which the next step refuses',
    'src/verify/simple-signing.ts digestKey: only the right: key === undefined || keys.length > 1',
  ],
  [
    'the signature itself is always among the evidence',
    "src/verify/verifier.ts decide: never: if (!isNonEmpty(evidence)) return unavailable(reason(R.defect, { expected: 'evidence', actual: 'none' }));",
  ],
  [
    'a bare key comes without a certificate',
    "src/verify/verifier.ts establish: always: entity.material.kind === 'certificate' ? entity.material.certificate : undefined",
  ],
  [
    'a promised time lay within the life of its log, or was refused before',
    'src/verify/verifier.ts unpromisedWindowFault: only the right: promisedAt === undefined && !times.some((time) => isValidAt(log.validFor, time.at))',
  ],
];

/** By mutant. */
export const reviewed: Readonly<Record<string, string>> = Object.fromEntries(
  table.flatMap(([why, ...mutants]) => mutants.map((key) => [key, why])),
);
