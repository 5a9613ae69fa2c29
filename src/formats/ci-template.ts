/**
 * From the claims of a CI token to the fields of a certificate. A rule is a claim's name or a template in the
 * part of Go's text/template that such rules use: `{{ .claim }}`, `{{ index . "claim" }}` for names that are no
 * identifiers, and `{{ if eq .claim "text" }}…{{ else }}…{{ end }}`. Values are put in as they are and never read
 * as templates again.
 */
import { type FulcioClaims, fulcioExtensions } from './fulcio.ts';

export interface CiProvider {
  /** Used where the token has no such claim. */
  readonly defaults: ReadonlyMap<string, string>;
  /** Rule for the URI in the subject alternative name. */
  readonly san: string;
  readonly extensions: readonly (readonly [keyof FulcioClaims, string])[];
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The issuer and the token's subject are facts of the token and can never be templated. */
const claimByTemplateName = new Map(
  fulcioExtensions
    .map(({ claim }) => claim)
    .filter((claim) => claim !== 'issuer' && claim !== 'tokenSubject')
    .map((claim) => [kebab(claim), claim]),
);

/** `build-signer-uri` → `buildSignerUri`. */
export const claimOfTemplateName = (name: string): keyof FulcioClaims | undefined =>
  claimByTemplateName.get(name);

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  /** `isIndex`: a claim that is missing is empty, as Go's `index` has it; otherwise it is an error. */
  | { readonly kind: 'value'; readonly name: string; readonly isIndex: boolean }
  | { readonly kind: 'if'; readonly name: string; readonly isIndex: boolean; readonly equals: string }
  | { readonly kind: 'else' }
  | { readonly kind: 'end' }
  | { readonly kind: 'unknown'; readonly text: string };

const action = /\{\{-?\s*(.*?)\s*-?\}\}/g;

function piecesOf(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of template.matchAll(action)) {
    pieces.push({ kind: 'text', text: template.slice(at, match.index) }, pieceOf(match[1] as string));
    at = match.index + match[0].length;
  }
  pieces.push({ kind: 'text', text: template.slice(at) });
  return pieces;
}

/** `.name`, or `index . "any name"` in or without parentheses. */
const operand = String.raw`(?:\.([A-Za-z_][A-Za-z0-9_]*)|\(?index \. "([^"\\]+)"\)?)`;
const valueForm = new RegExp(`^\\(?${operand}\\)?$`);
const ifForm = new RegExp(`^if eq ${operand} "([^"\\\\]*)"$`);

function pieceOf(inner: string): Piece {
  const value = valueForm.exec(inner);
  if (value !== null) return { kind: 'value', ...named(value) };
  const condition = ifForm.exec(inner);
  if (condition !== null) return { kind: 'if', ...named(condition), equals: condition[3] as string };
  return inner === 'else' || inner === 'end' ? { kind: inner } : { kind: 'unknown', text: inner };
}

const named = ([, field, index]: RegExpExecArray): { name: string; isIndex: boolean } => ({
  name: (field ?? index) as string,
  isIndex: field === undefined,
});

/** Why a rule cannot be applied; undefined when it can. */
export function ruleFault(rule: string): string | undefined {
  const pieces = piecesOf(rule);
  const unknown = pieces.find((piece) => piece.kind === 'unknown');
  if (unknown !== undefined) return `{{ ${unknown.text} }}`;
  const order = pieces
    .map((piece) => piece.kind)
    .filter((kind) => kind === 'if' || kind === 'else' || kind === 'end')
    .join(' ');
  const isWhole = pieces.length > 1 || !/\{\{|\}\}/.test(rule);
  return isWhole && /^(?:if (?:else )?end ?)*$/.test(order) ? undefined : rule;
}

/** The text of a claim. `isOptional`: empty when it is missing; otherwise that throws. */
export type ClaimValue = (name: string, isOptional: boolean) => string;

/** Applies a rule that has no fault. */
export function applyRule(rule: string, claimValue: ClaimValue): string {
  if (!rule.includes('{{')) return claimValue(rule, false);
  let out = '';
  let isTaken = true;
  for (const piece of piecesOf(rule)) {
    if (piece.kind === 'if') isTaken = claimValue(piece.name, piece.isIndex) === piece.equals;
    else if (piece.kind === 'else') isTaken = !isTaken;
    else if (piece.kind === 'end') isTaken = true;
    else if (piece.kind === 'value') out += isTaken ? claimValue(piece.name, piece.isIndex) : '';
    else if (isTaken) out += piece.text;
  }
  return out;
}
