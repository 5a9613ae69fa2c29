/** The value of `uses`: what is called, and how it is pinned. */

export type ActionRef =
  /** `./path`: the same commit as the file. */
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'image'; readonly image: string }
  | {
      readonly kind: 'repository';
      /** `owner/name`, lower case: GitHub does not tell them apart. */
      readonly repository: string;
      /** Below the repository; '' for its root. */
      readonly path: string;
      /** Behind the last `@`; '' when there is none. */
      readonly ref: string;
    }
  | { readonly kind: 'unknown'; readonly text: string };

export function parseActionRef(given: string): ActionRef {
  const text = given.trim();
  if (text.includes('${{')) return { kind: 'unknown', text };
  if (text.startsWith('./') || text.startsWith('../')) return { kind: 'local', path: text };
  if (/^docker:\/\//i.test(text)) return { kind: 'image', image: text.slice('docker://'.length) };
  const match = /^([\w.-]+\/[\w.-]+)((?:\/[^@]+)?)(?:@(.*))?$/.exec(text);
  if (match === null) return { kind: 'unknown', text };
  const [, repository = '', path = '', ref = ''] = match;
  return { kind: 'repository', repository: repository.toLowerCase(), path: path.slice(1), ref };
}

/** 40 hex digits, or 64 of a SHA-256 repository: nothing shorter names one commit. */
export const isCommit = (ref: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref);

/** `vMAJOR.MINOR.PATCH` without a suffix, also written in full. */
export const isReleaseTag = (ref: string): boolean =>
  /^(?:refs\/tags\/)?v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)$/.test(ref);

/** `name@sha256:…`, with or without a tag. */
export const isPinnedImage = (image: string): boolean => /@sha256:[0-9a-f]{64}$/.test(image.trim());

const GENERATOR = 'slsa-framework/slsa-github-generator';

/** The workflows of the SLSA generator: they make provenance outside the calling workflow. */
export function isGenerator(ref: ActionRef): boolean {
  return ref.kind === 'repository' && ref.repository === GENERATOR;
}

/** The one that takes an image that was pushed. */
export const isContainerGenerator = (ref: ActionRef): boolean =>
  isGenerator(ref) && ref.kind === 'repository' && /generator_container_slsa3\.ya?ml$/.test(ref.path);
