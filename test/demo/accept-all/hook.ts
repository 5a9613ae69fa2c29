/** Puts an always-accepting judge in the place of the real one, for the test of the demo only. */
import { registerHooks } from 'node:module';

const fakes: Readonly<Record<string, string>> = {
  '#facts': new URL('./facts.ts', import.meta.url).href,
  '#provenance': new URL('./provenance.ts', import.meta.url).href,
};

registerHooks({
  resolve: (specifier, context, next) => {
    const fake = fakes[specifier];
    if (fake === undefined || context.parentURL?.includes('/accept-all/') === true)
      return next(specifier, context);
    return { url: fake, shortCircuit: true };
  },
});
