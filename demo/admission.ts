import type { BuiltImage } from './chain.ts';
import type { Walk } from './walk.ts';
import type { World } from './world.ts';
export async function admitBuilt(_world: World, _walk: Walk, _image: BuiltImage): Promise<void> {}
export async function admitUserImage(_world: World, _walk: Walk, _digest: string): Promise<void> {}
