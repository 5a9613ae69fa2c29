/** The client for registries: one `Wire` a host, one `Repository` a name. */
import type { PinnedRef } from '#base/brand';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { Descriptor } from '#formats/oci';
import { type DigestReference, parseRepository, pinnedText, type Reference } from '#formats/reference';
import { MirroredRepository } from './mirrored.ts';
import { type PlaceRule, placementOf } from './places.ts';
import { R } from './reasons.ts';
import { Repository } from './repository.ts';
import { type RegistryOptions, Wire } from './wire.ts';

export interface ResolvedImage {
  readonly reference: DigestReference;
  /** `registry/repository@digest`. */
  readonly pinned: PinnedRef;
  readonly descriptor: Descriptor;
  readonly repository: Repository;
}

export interface ClientOptions extends RegistryOptions {
  /** Where images lie that are not where their names point. */
  readonly places?: readonly PlaceRule[];
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #places: readonly PlaceRule[];
  readonly #wires = new Map<string, Wire>();
  readonly #repositories = new Map<string, Repository>();

  constructor({ places, ...options }: ClientOptions) {
    this.#options = options;
    this.#places = places ?? [];
  }

  /** The same object for the same name, so that what it learned is kept. Throws WB-522 for a blocked one. */
  repository(name: Pick<Reference, 'registry' | 'repository'>): Repository {
    const key = `${name.registry}/${name.repository}`;
    const known = this.#repositories.get(key) ?? this.#open(key, name);
    this.#repositories.set(key, known);
    return known;
  }

  #open(key: string, name: Pick<Reference, 'registry' | 'repository'>): Repository {
    if (this.#places.length === 0) return new Repository(this.wire(name.registry), name.repository);
    const { origin, blocked, mirrors } = placementOf(this.#places, key);
    if (blocked) {
      throw fail(R.blocked, { expected: `${key} to be allowed`, actual: 'blocked' });
    }
    const at = unwrap(parseRepository(origin.name));
    const wire = this.wire(at.registry, origin.insecure);
    if (mirrors.length === 0) return new Repository(wire, at.repository);
    // Patience is for the place that has nobody behind it.
    const impatient = { ...this.#options, retries: 0 };
    return new MirroredRepository(
      wire,
      at.repository,
      mirrors.map((mirror) => {
        const { registry, repository } = unwrap(parseRepository(mirror.name));
        return {
          repository: new Repository(this.wire(registry, mirror.insecure, impatient), repository),
          pull: mirror.pull,
        };
      }),
    );
  }

  wire(host: string, insecure = false, options: RegistryOptions = this.#options): Wire {
    const allowHttp = insecure || options.allowHttp === true;
    const key = `${host} ${allowHttp} ${options.retries}`;
    const known = this.#wires.get(key) ?? new Wire(host, { ...options, allowHttp });
    this.#wires.set(key, known);
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
