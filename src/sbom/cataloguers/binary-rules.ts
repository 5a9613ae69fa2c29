/** Table of programs that can be told by a text inside them. */

export interface BinaryText {
  /** Shortly before the version; with `\0` where a text starts. */
  readonly marker: string | ((match: RegExpExecArray) => string);
  /** Matched from the marker on; group 1 is the version. */
  readonly version: RegExp;
}

export interface BinaryRule {
  readonly name: string;
  readonly fileName: RegExp;
  readonly texts: readonly BinaryText[];
  readonly cpe: readonly [vendor: string, product: string];
  /** Scripts and archives too, not only programs. */
  readonly isText?: boolean;
}

const three = String.raw`\d+\.\d+\.\d+`;

/** A rule whose version follows the marker at once. */
function rule(
  name: string,
  fileName: RegExp,
  marker: string,
  version: string,
  cpe: readonly [string, string],
): BinaryRule {
  const start = marker.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace('\0', '\\0');
  return { name, fileName, cpe, texts: [{ marker, version: new RegExp(`^${start}${version}`) }] };
}

const pythonVersion: BinaryText = {
  marker: (match) => `\0${match[1]}.`,
  version: /^\0(\d+\.\d+\.[-._a-zA-Z0-9]+)\0/,
};

export const binaryRules: readonly BinaryRule[] = [
  rule('node', /^node(?:js)?(?:\.exe)?$/, 'node.js/v', `(${three})`, ['nodejs', 'node.js']),
  { name: 'python', fileName: /^python(\d+\.\d+)$/, texts: [pythonVersion], cpe: ['python', 'python'] },
  {
    name: 'python',
    fileName: /^libpython(\d+\.\d+)[a-z]?\.so/,
    texts: [pythonVersion],
    cpe: ['python', 'python'],
  },
  rule('pypy', /^libpypy.*\.so/, '[PyPy ', `(${three})`, ['pypy', 'pypy']),
  rule('ruby', /^(?:ruby|libruby.*\.so.*)$/, 'ruby ', `(${three}(?:(?:p|preview|rc|dev)\\d*)?) `, [
    'ruby-lang',
    'ruby',
  ]),
  rule('perl', /^perl$/, '/usr/local/lib/perl5/', `(${three})`, ['perl', 'perl']),
  rule(
    'php',
    /^(?:php[0-9.]*|php-fpm[0-9.]*|libphp[0-9.]*\.so)$/,
    'X-Powered-By: PHP/',
    `(${three}[-\\w]*)`,
    ['php', 'php'],
  ),
  rule('busybox', /^busybox$/, 'BusyBox v', `(${three})`, ['busybox', 'busybox']),
  rule('util-linux', /^getopt$/, 'util-linux ', String.raw`(\d+\.\d+(?:\.\d+)?)`, ['kernel', 'util-linux']),
  rule('bash', /^bash$/, '@(#)Bash version ', `(${three})`, ['gnu', 'bash']),
  rule(
    'openssl',
    /^(?:openssl|libcrypto\.so(?:\.[\d.]+)?|libssl\.so(?:\.[\d.]+)?)$/,
    'OpenSSL ',
    String.raw`(\d+\.\d+\.\d+[a-z]?(?:-(?:alpha|beta)\d+)?) +\d{1,2} [A-Z][a-z]{2} \d{4}`,
    ['openssl', 'openssl'],
  ),
  rule('nginx', /^nginx$/, 'nginx version: nginx/', `(${three}(?:\\+\\d+)?(?:-\\d+)?)`, ['f5', 'nginx']),
  rule('openresty', /^nginx$/, 'nginx version: openresty/', `(${three}(?:\\.\\d+)?)`, [
    'openresty',
    'openresty',
  ]),
  rule('httpd', /^(?:httpd|apache2)$/, 'Apache/', `(${three})`, ['apache', 'http_server']),
  rule('lighttpd', /^lighttpd$/, 'lighttpd/', `(${three})`, ['lighttpd', 'lighttpd']),
  rule('proftpd', /^proftpd$/, 'ProFTPD Version ', String.raw`(\d+\.\d+\.\d+[a-z]?)`, ['proftpd', 'proftpd']),
  rule('haproxy', /^haproxy$/, 'HAProxy version ', `(${three})`, ['haproxy', 'haproxy']),
  rule('haproxy', /^haproxy$/, 'HA-Proxy version ', `(${three})`, ['haproxy', 'haproxy']),
  rule('memcached', /^memcached$/, 'memcached ', `(${three})`, ['memcached', 'memcached']),
  rule('postgresql', /^postgres$/, 'PostgreSQL ', String.raw`(\d+(?:\.\d+)*(?:alpha\d|beta\d|rc\d)?)[ (]`, [
    'postgresql',
    'postgresql',
  ]),
  rule('mysql', /^mysql$/, '/mysql-', String.raw`(\d+\.\d+\.\d+)`, ['oracle', 'mysql']),
  rule('mariadb', /^(?:mariadb|mysql|mariadbd)$/, '/mariadb-', `(${three})`, ['mariadb', 'mariadb']),
  rule('erlang', /^(?:erlexec|beam\.smp)$/, '/src/otp_src_', String.raw`(\d+\.\d+(?:\.\d+){0,2})/erts/`, [
    'erlang',
    'erlang\\/otp',
  ]),
  rule('swipl', /^swipl$/, 'swipl-', `(${three})/`, ['erlang', 'swi-prolog']),
  rule('gcc', /^gcc$/, 'GCC: (GNU) ', `(${three})`, ['gnu', 'gcc']),
  rule('rust', /^libstd-[0-9a-f]{16}\.so$/, 'clang LLVM (rustc version ', `(${three})`, [
    'rust-lang',
    'rust',
  ]),
  rule('ghc', /^ghc/, '\0GHC ', `(${three})\\0`, ['haskell', 'ghc']),
  rule('curl', /^curl$/, 'curl/', `(${three})`, ['haxx', 'curl']),
  rule('zstd', /^zstd$/, '*** Zstandard CLI (64-bit) v', `(${three})`, ['facebook', 'zstandard']),
  rule('xz', /^xz$/, 'xz (XZ Utils) ', `(${three})`, ['tukaani', 'xz']),
  rule('jq', /^jq$/, '\0jq-', String.raw`(\d+\.\d+(?:\.\d+)?)\0`, ['jqlang', 'jq']),
  rule('ffmpeg', /^ffmpeg$/, 'FFmpeg version ', String.raw`n?(\d+\.\d+(?:\.\d+)?)`, ['ffmpeg', 'ffmpeg']),
  rule('deno', /^deno$/, 'Deno/', `(${three})`, ['deno', 'deno']),
  rule('bun', /^bun$/, 'bun-v', `(${three})`, ['bun', 'bun']),
  { ...rule('wp-cli', /^wp$/, 'wp-cli/wp-cli ', `(${three})`, ['wp-cli', 'wp-cli']), isText: true },
];
