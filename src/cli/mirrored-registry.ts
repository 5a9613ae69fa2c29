/** A registry client by canonical names whose bytes lie elsewhere: statements and answers keep the names. */
import { unwrap } from '#base/result';
import type { MirrorMap } from '#facts';
import { parseRepository, type Reference } from '#formats/reference';
import { Registry, type RegistryOptions, type Repository } from '#oci';

class MirroredRegistry extends Registry {
  readonly #mirror: MirrorMap;

  constructor(options: RegistryOptions, mirror: MirrorMap) {
    super(options);
    this.#mirror = mirror;
  }

  override repository(name: Pick<Reference, 'registry' | 'repository'>): Repository {
    return super.repository(unwrap(parseRepository(this.#mirror(`${name.registry}/${name.repository}`))));
  }
}

export const clientOf = (options: RegistryOptions, mirror: MirrorMap | undefined): Registry =>
  mirror === undefined ? new Registry(options) : new MirroredRegistry(options, mirror);
