// Rules for the pages and for these tests. LuCI compiles each file as the body of a function, so
// that a file returns its class.

const page = {
	_: 'readonly', E: 'readonly', L: 'readonly', window: 'readonly', document: 'readonly', navigator: 'readonly',
	crypto: 'readonly', console: 'readonly', TextEncoder: 'readonly'
};
// What the directives 'require ...' of a file bring into it.
const modules = Object.fromEntries([
	'baseclass', 'view', 'form', 'uci', 'ui', 'rpc', 'dom', 'poll', 'address', 'checks', 'clipboard', 'graph', 'guard', 'lan',
	'badge', 'guide', 'importer', 'nthash', 'options', 'password', 'rights', 'router', 'words', 'widgets', 'part'
].map((name) => [ name, 'readonly' ]));
const node = { require: 'readonly', module: 'writable', process: 'readonly', console: 'readonly', global: 'writable', __dirname: 'readonly', fetch: 'readonly' };
const browser = { Node: 'readonly', fetch: 'readonly', structuredClone: 'readonly' };
// LuCI takes a bare string for HTML wherever it makes elements; in an array it is text.
const bare = [ 'Literal', 'TemplateLiteral', 'BinaryExpression', 'Identifier[name!=children]', 'MemberExpression' ];
const noHtml = [ 'error',
	...bare.map((type) => ({ selector: `CallExpression[callee.name='E'] > ${type}.arguments:nth-child(3)`, message: 'put the content into an array' })),
	{ selector: "CallExpression[callee.name='E'] > CallExpression.arguments:nth-child(3)[callee.name='_']", message: 'put the content into an array' }
];
const rules = {
	'no-undef': 'error', 'no-unused-vars': [ 'error', { argsIgnorePattern: '^_', caughtErrors: 'none' } ], 'no-shadow': 'error',
	'no-const-assign': 'error', 'no-dupe-keys': 'error', 'no-unreachable': 'error', 'no-cond-assign': 'error', 'prefer-const': 'error',
	'no-var': 'error', 'no-eval': 'error', 'no-control-regex': 'error', 'use-isnan': 'error', 'valid-typeof': 'error',
	'max-lines-per-function': [ 'error', { max: 45, skipComments: true } ], 'max-len': [ 'off' ]
};
const script = { sourceType: 'commonjs', ecmaVersion: 2024 };

export default [
	{
		files: [ '**/htdocs/**/*.js', '**/standin/**/*.js' ], rules: { ...rules, 'no-restricted-syntax': noHtml },
		languageOptions: { ...script, sourceType: 'script', parserOptions: { ecmaFeatures: { globalReturn: true } }, globals: { ...page, ...modules } }
	},
	{
		files: [ '**/standin/**/*.js' ],
		languageOptions: { globals: browser },
		rules: { 'no-restricted-syntax': 'off', 'no-shadow': 'off', 'no-redeclare': 'off', 'no-unused-vars': 'off', 'no-new-func': 'off' }
	},
	{
		files: [ '**/tests/luci/*.js', '**/tests/luci/scenarios/*.js' ], rules,
		languageOptions: { ...script, globals: { ...page, ...node } }
	}
];
