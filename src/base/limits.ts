/** Every cap in one place: name, unit, reason. Each has a test at L and L + 1. */
const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const limits = {
  bundleBytes: 10 * MiB,
  bundleTlogEntries: 32,
  bundleTimestamps: 32,
  chainCertificates: 10,
  certificateBytes: 64 * KiB,
  statementSubjects: 1024,
  subjectDigests: 32,
  derDepth: 32,
  jsonDepth: 64,
  trustedRootBytes: 5 * MiB,
  noteBytes: 1 * MiB,
  noteSignatures: 100,
  proofHashes: 63,
  /** One OCI manifest or index. */
  manifestBytes: 4 * MiB,
  manifestLayers: 512,
  /** One attached signature, attestation or bundle blob. */
  attachmentBytes: 128 * MiB,
  /** The same for admission, where whoever may push a tag chooses what an event loop has to parse. */
  admissionAttachmentBytes: 16 * MiB,
  signaturesPerImage: 128,
  referrersPages: 20,
  /** Pages of a tag list or catalogue. */
  listPages: 1000,
  layerBytes: 10 * GiB,
  layerEntries: 2_000_000,
  layerExpansionRatio: 200,
  pathBytes: 4096,
  symlinkHops: 40,
  /** Folders above a file of an image, links followed: the work for a name grows with their square. */
  pathFolders: 256,
  /** Entries of a layer that could not be placed or read and are named one by one; of more, how many. */
  entriesNamed: 1000,
  sbomBytes: 200 * MiB,
  /** One file of an image kept in memory for a cataloguer, and all of them together. */
  capturedFileBytes: 32 * MiB,
  capturedBytes: 512 * MiB,
  /** An archive, a database or a program of an image that is looked at whole and dropped. */
  extractedFileBytes: 96 * MiB,
  /** Archives inside archives of an image: how deep, how many entries, how many bytes in all of one file. */
  archiveDepth: 8,
  archiveEntries: 200_000,
  archiveBytes: 1 * GiB,
  /** An archive of an image, and those in it that are looked at: each in the one before. */
  archiveHeldBytes: 104 * MiB,
  /** Extended headers of one tar entry. */
  tarExtensionBytes: 1 * MiB,
  /** One OSV record, and one archive entry or file of a database source. */
  osvRecordBytes: 4 * MiB,
  osvSourceBytes: 2 * GiB,
  policyBytes: 1 * MiB,
  /** One workflow file of a CI system. */
  workflowBytes: 1 * MiB,
  /** One file of an exception, a revocation or approvers, and how many a folder may hold. */
  exceptionBytes: 256 * KiB,
  exceptionFiles: 512,
  /** One expression of a policy over one object. */
  jmespathSteps: 100_000,
  regexpChars: 1024,
  identityChars: 2048,
  tokenBytes: 16 * KiB,
  jwksBytes: 1 * MiB,
  jwksKeys: 100,
  tufMetadataBytes: 5 * MiB,
  tufRootRotations: 256,
  /** Delegated roles asked for one target, whatever the metadata delegates to. */
  tufDelegations: 32,
  /** Members of one map of TUF metadata: keys, roles, files, targets. */
  tufEntries: 2048,
  tsaRequestBytes: 64 * KiB,
  tsaNonceBytes: 64,
  caRequestBytes: 64 * KiB,
  /** Body of a request to a log that holds hashes or certificates. */
  logRequestBytes: 1 * MiB,
  /** The same for API v1, to which attestations go whole: SBOMs among them. */
  logEnvelopeBytes: 4 * MiB,
  /** A leaf in a tlog-tiles entry bundle carries a 16-bit length. */
  logEntryBytes: 65_535,
  admissionReviewBytes: 10 * MiB,
  /** A request for a build. */
  builderRequestBytes: 64 * KiB,
  /** One answer of a program that holds a key, and questions to it at a time. */
  signerLineBytes: 64 * KiB,
  signerInFlight: 256,
  httpRedirects: 3,
  httpErrorBodyBytes: 64 * KiB,
  httpRetries: 4,
  httpTimeoutMs: 30_000,
} as const;
