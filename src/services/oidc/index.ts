export { ACTIONS_AUDIENCE } from './actions.ts';
export { isLoopback, type OidcConfig, type Realm, realms } from './config.ts';
export { type GithubWorkflow, githubClaims } from './github.ts';
export { createOidc, type OidcIssuer, type TokenRequest } from './issuer.ts';
export { registerOidc } from './routes.ts';
