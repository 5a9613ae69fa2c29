/** Every room's cases by recipe name. */
import type { Case } from '../case.ts';
import { imageRoom } from './images.ts';
import { loopRoom } from './loops.ts';
import { monitorRoom } from './monitor.ts';
import { policyRoom } from './policy.ts';
import type { Room, RoomAnswers } from './room.ts';
import { signingRoom } from './signing.ts';
import { witnessRoom } from './witness.ts';

const rooms: Readonly<Record<string, Room>> = {
  loops: loopRoom,
  policy: policyRoom,
  images: imageRoom,
  monitor: monitorRoom,
  signing: signingRoom,
  witness: witnessRoom,
};

/** Twin and case, in the room that decides. */
export async function askRoom(item: Case): Promise<RoomAnswers> {
  const [step, ...more] = item.mutation;
  const recipe = rooms[item.room ?? '']?.[step?.[0] ?? ''];
  if (step === undefined || more.length > 0 || recipe === undefined) {
    throw new Error(`${item.id}: no room ${item.room} does ${step?.[0]}`);
  }
  return recipe(step, item);
}
