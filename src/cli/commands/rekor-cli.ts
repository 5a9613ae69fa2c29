/** See ../compat: the words of another tool, translated into our verbs. */
export { register } from '../compat/rekor-cli.ts';
