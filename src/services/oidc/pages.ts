/** The pages of the development issuer. */
import type { AuthorizeRequest } from './authorize.ts';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? '');

const page = (title: string, ...body: readonly string[]): string =>
  [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Development sign-in</title>',
    '<style>body{font:1rem/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}</style>',
    `<h1>${title}</h1>`,
    ...body,
    '</html>',
  ].join('\n');

const believes = '<p>This is the development issuer of a waybill stack. It believes everybody.</p>';

const emailField = (value: string): string =>
  `<label>E-mail <input name="email" type="email" required value="${escaped(value)}"></label>`;

/** Asks who to be. */
export const authorizePage = ({ clientId, hint }: AuthorizeRequest): string =>
  page(
    'Who do you want to be?',
    believes,
    `<form method="post">${emailField(hint)} <button>Sign in to ${escaped(clientId)}</button></form>`,
  );

/** Asks for the code a client shows elsewhere, and who to be. */
export const devicePage = (userCode: string): string =>
  page(
    'Who signs in on the other machine?',
    believes,
    '<form method="post">',
    `<label>Code <input name="user_code" required autocomplete="off" value="${escaped(userCode)}"></label>`,
    `${emailField('')} <button>Sign in there</button></form>`,
  );

export const deviceDonePage = (email: string): string =>
  page('Signed in', `<p>The other machine is now ${escaped(email)}. You can close this page.</p>`);
