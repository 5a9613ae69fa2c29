/** Clients of a stack by the names people know them by: for each there is one setting, or a document it reads. */

/** Told by variables and commands of a shell. */
export const settingClients = [
  'cosign',
  'cosign-2',
  'sigstore-go',
  'sigstore-js',
  'sigstore-python',
  'rekor-cli',
  'crane',
  'skopeo',
] as const;

/** Told by a document with the keys in it. */
export const documentClients = ['kyverno', 'policy-controller', 'podman', 'gh', 'flux'] as const;
export type DocumentClient = (typeof documentClients)[number];

export const connectableClients = [...settingClients, ...documentClients] as const;
export type ConnectableClient = (typeof connectableClients)[number];
