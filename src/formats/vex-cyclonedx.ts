/** CycloneDX (1.4–1.7) as VEX: `vulnerabilities[].analysis`, with `affects` by bom-ref, BOM-Link or purl. */
import { isJsonObject, type JsonObject, type JsonValue, own } from './json.ts';
import {
  textOf,
  timeOf,
  type VexDocument,
  type VexProduct,
  type VexStatement,
  type VexStatus,
} from './vex-model.ts';

const list = (json: JsonObject, key: string): readonly JsonObject[] => {
  const value = own(json, key);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
};

const statuses: Readonly<Record<string, VexStatus>> = {
  not_affected: 'not_affected',
  false_positive: 'not_affected',
  resolved: 'fixed',
  resolved_with_pedigree: 'fixed',
  exploitable: 'affected',
  in_triage: 'under_investigation',
};

/** CycloneDX's words for a justification, in those VEX agreed on. */
export const cycloneDxJustifications: Readonly<Record<string, string>> = {
  code_not_present: 'vulnerable_code_not_present',
  code_not_reachable: 'vulnerable_code_not_in_execute_path',
  requires_configuration: 'vulnerable_code_cannot_be_controlled_by_adversary',
  requires_dependency: 'component_not_present',
  requires_environment: 'vulnerable_code_cannot_be_controlled_by_adversary',
  protected_by_compiler: 'inline_mitigations_already_exist',
  protected_at_runtime: 'inline_mitigations_already_exist',
  protected_at_perimeter: 'inline_mitigations_already_exist',
  protected_by_mitigating_control: 'inline_mitigations_already_exist',
};

export function readCycloneDxVex(json: JsonObject): VexDocument {
  const components = new Map<string, string>();
  const metadata = own(json, 'metadata');
  const root = isJsonObject(metadata) ? own(metadata, 'component') : undefined;
  for (const one of isJsonObject(root) ? [root, ...allComponents(json)] : allComponents(json)) {
    const ref = textOf(one, 'bom-ref');
    const purl = textOf(one, 'purl');
    if (ref !== undefined && purl !== undefined) components.set(ref, purl);
  }
  const written = isJsonObject(metadata) ? textOf(metadata, 'timestamp') : undefined;
  return {
    form: 'cyclonedx',
    id: textOf(json, 'serialNumber') ?? '',
    author: '',
    statements: list(json, 'vulnerabilities').flatMap((one) => readVulnerability(one, components, written)),
  };
}

const allComponents = (json: JsonObject): JsonObject[] =>
  list(json, 'components').flatMap((one) => [one, ...allComponents(one)]);

function readVulnerability(
  one: JsonObject,
  components: ReadonlyMap<string, string>,
  written: string | undefined,
): VexStatement[] {
  const analysis: JsonValue | undefined = own(one, 'analysis');
  const id = textOf(one, 'id');
  if (!isJsonObject(analysis) || id === undefined) return [];
  const status = statuses[textOf(analysis, 'state') ?? ''];
  if (status === undefined) return [];
  const named = textOf(analysis, 'justification');
  const justification = named === undefined ? undefined : (cycloneDxJustifications[named] ?? named);
  const impact = textOf(analysis, 'detail');
  const references = list(one, 'references').map((reference) => textOf(reference, 'id'));
  return [
    {
      ids: [...new Set([id, ...references.filter((other) => other !== undefined)])],
      status,
      ...(justification === undefined ? {} : { justification }),
      ...(impact === undefined ? {} : { impact }),
      products: list(one, 'affects').flatMap((affected) => productOf(textOf(affected, 'ref'), components)),
      ...timeOf(
        textOf(analysis, 'lastUpdated'),
        textOf(analysis, 'firstIssued'),
        textOf(one, 'updated'),
        written,
      ),
    },
  ];
}

/** `urn:cdx:SERIAL/VERSION#bom-ref` points into another document; its reference is often the purl. */
function productOf(ref: string | undefined, components: ReadonlyMap<string, string>): VexProduct[] {
  if (ref === undefined) return [];
  const hash = ref.startsWith('urn:cdx:') ? ref.indexOf('#') : -1;
  const bare = hash < 0 ? ref : decoded(ref.slice(hash + 1));
  return [{ ids: [...new Set([components.get(bare) ?? bare, bare])], parts: [] }];
}

/** As it is, where it is not encoded as addresses are. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
