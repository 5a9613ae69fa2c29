/** Erasable brands for values that must not be mixed; the parser that makes one is its only constructor. */
declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Made by `parseDigest`, `digestOf`. */
export type Digest = Brand<string, 'Digest'>;
/** `registry/repository:tag`, normalised. Made by `#formats/reference`. */
export type TagRef = Brand<string, 'TagRef'>;
/** `registry/repository@digest`, normalised. Made by `#formats/reference`. */
export type PinnedRef = Brand<string, 'PinnedRef'>;
/** A leaf index in a log, >= 0. */
export type LogIndex = Brand<number, 'LogIndex'>;
/** DER bytes. */
export type Der = Brand<Uint8Array, 'Der'>;
/** PEM text. */
export type Pem = Brand<string, 'Pem'>;
