/** What the page is given. It knows no other service: stack hands in how to ask them. */
import type { Digest } from '#base/brand';
import type { Clock } from '#base/clock';
import type { AttachedItem } from '#facts';
import type { Lineage } from '#flows/lineage';
import type { TrustMaterial } from '#verify';

export interface StationView {
  readonly name: string;
  readonly title: string;
  readonly url: string;
  readonly isUp: boolean;
}

export interface LogView {
  readonly title: string;
  readonly origin: string;
  /** Entries in the newest checkpoint. */
  readonly size: number;
  /** The signed note; absent where the log keeps another form. */
  readonly checkpoint?: string;
}

export interface ExpiryView {
  readonly what: string;
  /** Subject, key kind or version. */
  readonly detail: string;
  /** Milliseconds since the epoch; undefined for what has no end. */
  readonly at?: number;
  /** The stack signs it again before its end. */
  readonly renewsItself: boolean;
}

export interface Overview {
  readonly stations: readonly StationView[];
  readonly logs: readonly LogView[];
  readonly expiries: readonly ExpiryView[];
}

/** An image that was pushed to the registry of this stack. */
export interface SeenImage {
  readonly repository: string;
  readonly digest: Digest;
  /** Tags that name it now. */
  readonly tags: readonly string[];
  readonly kind: 'image' | 'index';
  /** Milliseconds; undefined when it was there before records were kept. */
  readonly firstSeen?: number;
  /** Whether the registry still has it. */
  readonly isHere: boolean;
}

/** One decision of an admission webhook about an image. */
export interface AdmissionView {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly isAllowed: boolean;
  /** `namespace/kind/name`. */
  readonly object: string;
  readonly message: string;
}

export interface StackView {
  /** Shown above everything; undefined for a stack that others rely on. */
  readonly banner?: string;
  overview(): Promise<Overview>;
  /** Newest first. */
  images(): Promise<readonly SeenImage[]>;
  /** A reference → its digest now. Throws WB-502 and others. */
  resolve(text: string): Promise<{ readonly repository: string; readonly digest: Digest }>;
  /** Everything attached to an image in one repository; [] when nothing is. */
  attached(repository: string, digest: Digest): Promise<readonly AttachedItem[]>;
  /** What the logs say. Throws WB-906, WB-907. */
  lineage(digest: Digest): Promise<Lineage>;
  /** Undefined: no webhook reports to this stack. */
  admissions(digest: Digest): Promise<readonly AdmissionView[] | undefined>;
  /** The stack's own trusted root, ready for use. */
  trust(): TrustMaterial;
}

export interface PageDeps {
  readonly view: StackView;
  readonly clock: Clock;
}
