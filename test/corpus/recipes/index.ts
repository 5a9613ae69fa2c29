/** Every recipe by its name, and the draft a list of steps makes. */
import type { Step } from '../case.ts';
import { type Draft, newDraft } from '../draft.ts';
import { certificateRecipes } from './certificates.ts';
import { editRecipes } from './edits.ts';
import { logRecipes } from './logs.ts';
import type { Recipes } from './recipe.ts';
import { signingRecipes } from './signing.ts';
import { surgeryRecipes } from './surgery.ts';
import { tokenRecipes } from './tokens.ts';
import { trustRecipes } from './trust.ts';

export const recipes: Recipes = {
  ...signingRecipes,
  ...editRecipes,
  ...certificateRecipes,
  ...surgeryRecipes,
  ...logRecipes,
  ...tokenRecipes,
  ...trustRecipes,
};

export function draftOf(...lists: readonly (readonly Step[])[]): Draft {
  const draft = newDraft();
  for (const [name, ...args] of lists.flat()) {
    const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
    if (recipe === undefined) throw new Error(`no recipe is called ${name}`);
    recipe(draft, ...args);
  }
  return draft;
}
