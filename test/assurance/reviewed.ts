/**
 * Table of checks whose removal no test notices, each looked at by a person: the change alters no verdict. An
 * entry is a mutant's key (file, function, change, text) and why nothing can notice.
 */
export const reviewed: Readonly<Record<string, string>> = {};
