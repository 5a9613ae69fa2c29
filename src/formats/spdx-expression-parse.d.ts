/** The library ships no types; this is the part of its result that is used. */
declare module 'spdx-expression-parse' {
  export interface SpdxLicense {
    readonly license: string;
    readonly plus?: true;
    readonly exception?: string;
  }
  export interface SpdxConjunction {
    readonly left: SpdxNode;
    readonly right: SpdxNode;
    readonly conjunction: 'and' | 'or';
  }
  export type SpdxNode = SpdxLicense | SpdxConjunction;
  export default function parse(expression: string): SpdxNode;
}
