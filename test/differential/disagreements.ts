/** Table of reviewed disagreements with other clients: which, in which case, and why ours is the right answer. */
export interface Disagreement {
  readonly client: 'sigstore-js' | 'cosign' | 'sigstore-go';
  /** True: only we accept. False: only they do. */
  readonly weAccept: boolean;
  /** Our reason, where we refuse; absent: any. */
  readonly code?: `WB-${number}`;
  /** What they say, where they refuse. */
  readonly theirs?: RegExp;
  /** The case or change it concerns; absent: any. */
  readonly what?: RegExp;
  readonly why: string;
}

const cosign = { client: 'cosign', weAccept: false } as const;
const go = { client: 'sigstore-go', weAccept: false } as const;
const js = { client: 'sigstore-js', weAccept: false } as const;

export const disagreements: readonly Disagreement[] = [
  {
    ...js,
    code: 'WB-160',
    what: /mediaType/,
    why: 'it looks at the beginning of the media type only; a type that is not known has rules that are not known',
  },
  {
    ...js,
    code: 'WB-161',
    why: 'it takes base64 that is not canonical, numbers with spaces and values of the wrong type as empty: two texts for one bundle, and fields that say nothing',
  },
  {
    ...js,
    code: 'WB-155',
    what: /dsseEnvelope/,
    why: 'the same inside the envelope: base64 with spaces, without padding or behind its end',
  },
  {
    ...js,
    code: 'WB-314',
    what: /inclusionProof\.(?:rootHash|treeSize)/,
    why: 'it ignores size and root beside the checkpoint; a proof that says two things about one tree is refused',
  },
  {
    ...js,
    code: 'WB-314',
    what: /checkpoint\.envelope/,
    why: 'it reads signed notes with text behind or between the signatures; c2sp.org/signed-note has no such form',
  },
  {
    ...js,
    code: 'WB-122',
    what: /certificate\.rawBytes/,
    why: 'it takes a SET for the SEQUENCE of a certificate: no certificate by X.509',
  },
  {
    ...js,
    code: 'WB-321',
    what: /signedTimestamp/,
    why: 'it takes a SET for the SEQUENCE of a timestamp response: no response by RFC 3161',
  },
  {
    ...js,
    code: 'WB-332',
    what: /^leaf for/,
    why: 'it does not check the purpose of the leaf: a certificate for servers signs no software (client specification §4.1)',
  },
  {
    ...js,
    code: 'WB-337',
    what: /^SCT before/,
    why: 'it does not compare the time of the stamp with the certificate it is in',
  },
  {
    ...js,
    code: 'WB-353',
    what: /two names/,
    why: 'it looks at one of several names; which one signed is then a matter of the reader',
  },
  {
    ...js,
    code: 'WB-341',
    what: /^payload of another type/,
    why: 'it does not read what a signature is over; a payload that is no statement says nothing about the artifact',
  },
  {
    ...js,
    code: 'WB-157',
    what: /^statement of another type/,
    why: 'as above: it does not read the statement',
  },
  {
    ...js,
    code: 'WB-166',
    what: /^vector trust-root-tlog-missing-validity-start/,
    why: 'it takes a missing start as 1970; the suite of the field demands the refusal',
  },
  {
    client: 'sigstore-js',
    weAccept: true,
    what: /, v1\b.*(?:timestampVerificationData|rfc3161Timestamps)|^foreign timestamp authority, v1$/,
    why: 'a timestamp that fails proves nothing and is told as a note; the log promised a time, and that one is enough',
  },
  {
    client: 'sigstore-js',
    weAccept: true,
    what: /bare P-256 key: .*(?:timestampVerificationData|rfc3161Timestamps)/,
    why: 'as above, under a bare key',
  },
  {
    client: 'sigstore-js',
    weAccept: true,
    theirs: /duplicate timestamp/,
    what: /rfc3161Timestamps: doubled$/,
    why: 'one token twice is one witness: it counts once, and one is enough',
  },
  {
    client: 'sigstore-js',
    weAccept: true,
    theirs: /invalid bundle/,
    what: /messageDigest: (?:null|absent)$/,
    why: 'the digest beside the signature is a hint (sigstore_common.proto); the signature is over the artifact itself',
  },
  {
    client: 'sigstore-js',
    weAccept: true,
    theirs: /signature verification failed/,
    what: /^message, bare Ed25519 key$/,
    why: 'it asks node:crypto for a digest signature, which Ed25519 has not; cosign signs and verifies with such keys',
  },
  {
    ...cosign,
    what: /kindVersion\./,
    why: 'it reads the kind from the body alone; an entry that says it is of another kind than its body is refused',
  },
  {
    ...cosign,
    code: 'WB-161',
    what: /: (?:cut by one|with a newline|with a space|doubled|in other case)$/,
    why: 'it takes base64 without padding and with line breaks: two texts for one bundle',
  },
  {
    ...cosign,
    code: 'WB-155',
    what: /dsseEnvelope/,
    why: 'the same inside the envelope',
  },
  {
    ...cosign,
    code: 'WB-331',
    what: /^late timestamp$/,
    why: 'it looks at timestamps only when asked to; every trusted time has to lie in the life of the certificate (client specification §4.1)',
  },
  {
    ...cosign,
    code: 'WB-332',
    what: /^leaf for anything$/,
    why: 'it takes anyExtendedKeyUsage for codeSigning; the public authority never writes it, and a signing certificate names its purpose',
  },
  {
    ...cosign,
    code: 'WB-353',
    what: /two names/,
    why: 'it is content when one of several names fits; which one signed is then a matter of the reader',
  },
  {
    ...cosign,
    code: 'WB-337',
    what: /^SCT before/,
    why: 'it does not compare the time of the stamp with the certificate it is in',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /^message, bare P-384 key/,
    why: 'it checks keys from files with SHA-256 whatever their kind; the bundle says SHA-384, and with that the signature holds',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /^message, bare Ed25519 key$/,
    why: 'it takes no bundle for a key of this kind on this command line',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /inclusionProof\.(?:rootHash|treeSize): (?:null|absent|an empty string)$/,
    why: 'they repeat what the signed checkpoint says; the proof is held to the checkpoint',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /timestampVerificationData|rfc3161Timestamps/,
    why: 'a timestamp that fails is told as a note where the log promised a time',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /messageDigest: (?:null|absent)$/,
    why: 'the digest beside the signature is a hint (sigstore_common.proto); the signature is over the artifact itself',
  },
  {
    ...cosign,
    code: 'WB-314',
    what: /inclusionProof\.(?:rootHash|treeSize)/,
    why: 'of a v2 entry it reads only the checkpoint; a proof that says two things about one tree is refused',
  },
  {
    client: 'cosign',
    weAccept: true,
    what: /, v2: .*\.(?:logIndex|integratedTime): /,
    why: 'a v2 log signs neither; ours uses neither: the index is the one the proof is for, and a timestamp gives the time',
  },
  {
    ...go,
    what: /kindVersion/,
    why: 'it reads the kind from the body alone; an entry that says it is of another kind than its body is refused',
  },
  {
    ...go,
    code: 'WB-161',
    what: /: (?:cut by one|with a newline|with a space|with a NUL|doubled|in other case)$/,
    why: 'it takes base64 without padding and with line breaks, and numbers with more than digits: two texts for one bundle',
  },
  {
    ...go,
    code: 'WB-155',
    what: /dsseEnvelope/,
    why: 'the same inside the envelope',
  },
  {
    ...go,
    code: 'WB-314',
    what: /inclusionProof\.(?:rootHash|treeSize)/,
    why: 'of a v2 entry it reads only the checkpoint; a proof that says two things about one tree is refused',
  },
  {
    ...go,
    code: 'WB-332',
    what: /^leaf for anything$/,
    why: 'it takes anyExtendedKeyUsage for codeSigning; the public authority never writes it, and a signing certificate names its purpose',
  },
  {
    ...go,
    code: 'WB-353',
    what: /two names/,
    why: 'it is content when one of several names fits; which one signed is then a matter of the reader',
  },
  {
    ...go,
    code: 'WB-337',
    what: /^SCT before/,
    why: 'it does not compare the time of the stamp with the certificate it is in',
  },
  {
    client: 'sigstore-go',
    weAccept: true,
    theirs: /ed25519: invalid signature/,
    what: /^message, bare Ed25519 key$/,
    why: 'it reads every Ed25519 entry of a v1 log as Ed25519ph; this one is pure, as cosign signs with such key files',
  },
  {
    client: 'sigstore-go',
    weAccept: true,
    what: /inclusionProof\.(?:rootHash|treeSize): (?:null|absent|an empty string)$/,
    why: 'they repeat what the signed checkpoint says; the proof is held to the checkpoint',
  },
  {
    client: 'sigstore-go',
    weAccept: true,
    what: /messageDigest: (?:null|absent)$/,
    why: 'the digest beside the signature is a hint (sigstore_common.proto); the signature is over the artifact itself',
  },
  {
    client: 'sigstore-go',
    weAccept: true,
    what: /, v2: .*\.(?:logIndex|integratedTime): /,
    why: 'a v2 log signs neither; ours uses neither: the index is the one the proof is for, and a timestamp gives the time',
  },
  {
    ...go,
    code: 'WB-161',
    what: /inclusionPromise/,
    why: 'it takes a promise without its signature for no promise, and is content with the proof; a field that says nothing is malformed',
  },
  {
    ...go,
    code: 'WB-161',
    what: /rfc3161Timestamps\.0/,
    why: 'it passes over a timestamp that it cannot read where the log promised a time; a field that is malformed makes a malformed bundle',
  },
  {
    ...go,
    code: 'WB-313',
    what: /, v2: .*inclusionProof\.logIndex/,
    why: 'of a v2 entry it proves the index beside the proof, not the one in it; a proof of another place is refused',
  },
  {
    ...go,
    code: 'WB-161',
    what: /, v2: .*inclusionProof\.rootHash: cut in half$/,
    why: 'of a v2 entry it reads only the checkpoint; here half the root is no canonical base64',
  },
  {
    ...go,
    code: 'WB-310',
    what: /, v2: .*canonicalizedBody: (?:bit of byte \d+ flipped|swapped with its twin)$/,
    why: 'it proves the body it builds itself and never reads the one given; readers who do would see another entry',
  },
];
