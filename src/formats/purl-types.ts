/** What the registered package URL types ask for (purl-spec `types/*-definition.json`), as data. */

/** What a rule may look at. */
interface NamedPurl {
  readonly namespace: string | undefined;
  readonly qualifiers: ReadonlyMap<string, string>;
}

export interface PurlRule {
  readonly namespace?: 'required' | 'prohibited';
  readonly lowerNamespace?: boolean;
  readonly lowerName?: boolean;
  readonly lowerNameIf?: (purl: NamedPurl) => boolean;
  readonly lowerVersion?: boolean;
  readonly replaceName?: readonly [RegExp, string];
  readonly nameForm?: RegExp;
  readonly versionForm?: RegExp;
  readonly requiredQualifiers?: readonly string[];
  /** Upper-case letters in a qualifier key are an error instead of being lowered. */
  readonly exactQualifierKeys?: boolean;
  /** The namespace is the first segment only; the name keeps its slashes. */
  readonly pathName?: boolean;
}

const lowerBoth = { lowerNamespace: true, lowerName: true } as const;
const noNamespace = { namespace: 'prohibited' } as const;

export const purlRules: ReadonlyMap<string, PurlRule> = new Map<string, PurlRule>([
  ['alpm', { namespace: 'required', ...lowerBoth }],
  ['apk', { namespace: 'required', ...lowerBoth }],
  ['bazel', noNamespace],
  ['bitbucket', { namespace: 'required', ...lowerBoth }],
  ['bitnami', { ...noNamespace, lowerName: true }],
  ['brew', lowerBoth],
  ['cargo', noNamespace],
  [
    'chrome-extension',
    { ...noNamespace, lowerName: true, nameForm: /^[a-p]{32}$/, versionForm: /^\d+(\.\d+){0,3}$/ },
  ],
  ['cocoapods', noNamespace],
  ['composer', { namespace: 'required', ...lowerBoth }],
  ['conda', noNamespace],
  ['cpan', { nameForm: /^(?!.*::)/ }],
  ['cran', noNamespace],
  ['deb', { namespace: 'required', ...lowerBoth }],
  ['gem', { ...noNamespace, exactQualifierKeys: true }],
  [
    'git',
    {
      namespace: 'required',
      pathName: true,
      lowerNameIf: (purl) => purl.namespace === 'github' || purl.namespace === 'github.com',
    },
  ],
  ['github', { namespace: 'required', ...lowerBoth }],
  // The registry definition asks for a namespace, but `stdlib` and one-segment modules exist.
  ['golang', {}],
  ['hackage', noNamespace],
  ['hex', lowerBoth],
  ['huggingface', { namespace: 'required', lowerVersion: true }],
  ['julia', { ...noNamespace, requiredQualifiers: ['uuid'] }],
  ['luarocks', lowerBoth],
  ['maven', { namespace: 'required' }],
  [
    'mlflow',
    {
      ...noNamespace,
      // Databricks registries ignore case, Azure ML ones keep it.
      lowerNameIf: (purl) => purl.qualifiers.get('repository_url')?.includes('databricks') === true,
    },
  ],
  ['nuget', noNamespace],
  ['oci', { ...noNamespace, lowerName: true, lowerVersion: true }],
  ['opam', noNamespace],
  ['otp', { ...noNamespace, lowerName: true }],
  ['pub', { ...noNamespace, lowerName: true, replaceName: [/[^a-z0-9]/g, '_'] }],
  ['pypi', { ...noNamespace, lowerName: true, lowerVersion: true, replaceName: [/_/g, '-'] }],
  ['qpkg', { namespace: 'required', lowerNamespace: true }],
  ['rpm', { namespace: 'required', lowerNamespace: true, exactQualifierKeys: true }],
  ['swid', { requiredQualifiers: ['tag_id'] }],
  ['swift', { namespace: 'required' }],
  ['vcpkg', noNamespace],
  ['vscode-extension', { namespace: 'required', ...lowerBoth, lowerVersion: true }],
  ['yocto', { lowerNamespace: true }],
]);
