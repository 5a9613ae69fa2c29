/** What the advisory database says, and how it is asked. */
import type { Digest } from '#base/brand';
import type { OsvRange } from '#formats/osv';
import type { Rating } from '../severity.ts';

/** 3: names of Go modules are also indexed in lower case. */
export const SCHEMA_VERSION = 3;

/** `database_specific.source` of the records that come with waybill. */
export const SAMPLE_SOURCE = 'waybill sample';

export interface DatabaseSource {
  /** File name of the source, or the name of the feed. */
  readonly name: string;
  readonly records: number;
  /** Records, lines and entries that could not be used; absent: none. */
  readonly skipped?: number;
  /** Newest `modified` of its records, RFC 3339; absent: not known. */
  readonly newest?: string;
}

export interface DatabaseInfo {
  readonly schemaVersion: number;
  /** Milliseconds. */
  readonly builtMs: number;
  /** Newest `modified` of its records, RFC 3339. */
  readonly newest?: string;
  readonly records: number;
  /** Of these, records of the sample that comes with waybill. */
  readonly sampleRecords: number;
  /** Not one record is from elsewhere. */
  readonly isSampleOnly: boolean;
  /** Affected entries by ecosystem with release, sorted. */
  readonly ecosystems: ReadonlyMap<string, number>;
  readonly sources: readonly DatabaseSource[];
  /** CVEs with an EPSS score it was built with; absent: built before that was kept. */
  readonly epss?: number;
  /** Entries of catalogues of exploited vulnerabilities; absent likewise. */
  readonly knownExploited?: number;
  /** Over the content: equal records give an equal digest. */
  readonly digest: Digest;
}

/** Chance of exploitation in the next 30 days (first.org/epss). */
export interface Epss {
  /** 0–1. */
  readonly probability: number;
  /** 0–1. */
  readonly percentile: number;
  /** Day of the model, YYYY-MM-DD. */
  readonly date?: string;
}

/** An entry of a catalogue of vulnerabilities known to be exploited. */
export interface KnownExploited {
  readonly dateAdded: string;
  readonly dueDate?: string;
  readonly isRansomware: boolean;
}

export interface Advisory {
  readonly id: string;
  /** Other ids of the same problem, sorted. */
  readonly aliases: readonly string[];
  /** Ids of problems this one speaks of, for example the CVEs of a distribution's notice; sorted. */
  readonly related: readonly string[];
  readonly summary: string;
  readonly published?: string;
  readonly modified?: string;
  readonly isSample: boolean;
  readonly cwes: readonly string[];
  readonly references: readonly string[];
  readonly epss?: Epss;
  readonly knownExploited?: KnownExploited;
}

/** What the publisher means to do where no fix is there. */
export type FixState = 'fixed' | 'not-fixed' | 'wont-fix' | 'unknown';

/** What one advisory says about one package. */
export interface AffectedEntry {
  readonly advisory: Advisory;
  readonly ecosystem: string;
  readonly name: string;
  readonly ranges: readonly OsvRange[];
  readonly versions: readonly string[];
  readonly rating: Rating;
  /** Stated by the publisher; otherwise whether there is a fix decides. */
  readonly state?: Exclude<FixState, 'fixed'>;
  /** `name:stream` of the module an rpm must come from. */
  readonly module?: string;
  /** Architectures it is about; absent: all. */
  readonly architectures?: readonly string[];
}

export interface AdvisoryDatabase {
  readonly info: DatabaseInfo;
  /**
   * Entries for a package, in the order of their ids; of a Go module in lower case, those of all its spellings.
   * WB-870 where its bytes are damaged.
   */
  find(ecosystem: string, name: string): readonly AffectedEntry[];
  /** Advisories that bear an id, or have it among their aliases or related ids; with what they are about. */
  explain(id: string): readonly ExplainedAdvisory[];
  close(): void;
}

export interface ExplainedAdvisory {
  readonly advisory: Advisory;
  readonly affected: readonly Omit<AffectedEntry, 'advisory'>[];
}
