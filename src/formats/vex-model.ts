/** The common terms of VEX documents (CISA, Minimum Requirements for VEX). */
import type { JsonObject } from './json.ts';
import { own } from './json.ts';

export const vexStatuses = ['not_affected', 'affected', 'fixed', 'under_investigation'] as const;
export type VexStatus = (typeof vexStatuses)[number];

export const vexJustifications = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const;

export interface VexProduct {
  /** Names of the product: a purl, an image reference, a digest. Any of them may match. */
  readonly ids: readonly string[];
  /** The parts of it that are meant, by purl; empty: all of it. */
  readonly parts: readonly string[];
}

/** Stands for a part that a statement means but does not name: nothing has this name. */
export const UNNAMED_PART = '';

export interface VexStatement {
  /** The problem, under every name the statement gives. */
  readonly ids: readonly string[];
  readonly status: VexStatus;
  readonly justification?: string;
  /** Why, in the author's words. */
  readonly impact?: string;
  readonly products: readonly VexProduct[];
  /** Milliseconds; absent when neither statement nor document says. */
  readonly atMs?: number;
}

export interface VexDocument {
  readonly form: 'openvex' | 'csaf' | 'cyclonedx';
  readonly id: string;
  readonly author: string;
  readonly statements: readonly VexStatement[];
}

/** A text of an object; undefined for anything else. */
export const textOf = (json: JsonObject | undefined, key: string): string | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export function timeOf(...texts: readonly (string | undefined)[]): { readonly atMs?: number } {
  for (const text of texts) {
    const at = Date.parse(text ?? '');
    if (Number.isFinite(at)) return { atMs: at };
  }
  return {};
}
