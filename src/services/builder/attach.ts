/** Bundles attached as every other client of the field attaches them: referrers of the image. */
import type { Clock } from '#base/clock';
import { attachBundle } from '#oci';
import type { AttachBundle } from './config.ts';

export const attachAsReferrer =
  (clock: Clock): AttachBundle =>
  async (store, image, bundle, predicateType) => {
    const subject = await store.resolve({ digest: image });
    await attachBundle(store, subject, bundle, { predicateType, createdMs: clock.now() });
  };
