/** The client for registries: one `Wire` a host, one `Repository` a name. */
import type { PinnedRef } from '#base/brand';
import type { Descriptor } from '#formats/oci';
import { type DigestReference, pinnedText, type Reference } from '#formats/reference';
import { Repository } from './repository.ts';
import { type RegistryOptions, Wire } from './wire.ts';

export interface ResolvedImage {
  readonly reference: DigestReference;
  /** `registry/repository@digest`. */
  readonly pinned: PinnedRef;
  readonly descriptor: Descriptor;
  readonly repository: Repository;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #wires = new Map<string, Wire>();
  readonly #repositories = new Map<string, Repository>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** The same object for the same name, so that what it learned is kept. */
  repository(name: Pick<Reference, 'registry' | 'repository'>): Repository {
    const key = `${name.registry}/${name.repository}`;
    const known = this.#repositories.get(key) ?? new Repository(this.wire(name.registry), name.repository);
    this.#repositories.set(key, known);
    return known;
  }

  wire(host: string): Wire {
    const known = this.#wires.get(host) ?? new Wire(host, this.#options);
    this.#wires.set(host, known);
    return known;
  }

  /** Tag → digest, once: everything after works with the digest. WB-502 when it is not there. */
  async resolve(reference: Reference): Promise<ResolvedImage> {
    const repository = this.repository(reference);
    const descriptor = await repository.resolve(reference);
    return {
      reference: { ...reference, digest: descriptor.digest },
      pinned: pinnedText(reference, descriptor.digest),
      descriptor,
      repository,
    };
  }
}
