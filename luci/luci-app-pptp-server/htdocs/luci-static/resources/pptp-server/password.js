// Passwords: made by chance, judged, compared with those of other accounts.
'use strict';
'require baseclass';
'require pptp-server.nthash as nthash';

// Without 0 O, 1 l I: the password is typed from a screen.
const LETTERS = '23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ';
const LENGTH = 20;
const CLASSES = [ [ /[a-z]/, 26 ], [ /[A-Z]/, 26 ], [ /[0-9]/, 10 ], [ /[^a-zA-Z0-9]/, 33 ] ];

// A number below `limit`, each as likely as the other.
function randomBelow(limit) {
	const octet = new Uint8Array(1);

	do
		crypto.getRandomValues(octet);
	while (octet[0] >= 256 - 256 % limit);

	return octet[0] % limit;
}

// Bits that a guesser who knows how the password was built has to search, roughly: repeated
// characters and runs such as abc or 321 count little.
function bits(password) {
	const kinds = CLASSES.reduce((sum, [ kind, size ]) => sum + (kind.test(password) ? size : 0), 0);
	let fresh = 0;

	for (let at = 0; at < password.length; at++) {
		const step = at ? password.charCodeAt(at) - password.charCodeAt(at - 1) : NaN;

		fresh += (Math.abs(step) <= 1 || password.indexOf(password[at]) < at) ? 0.25 : 1;
	}

	return fresh * Math.log2(Math.max(kinds, 2));
}

return baseclass.extend({
	// A password of 20 characters, about 116 bits.
	generate() {
		return Array.from({ length: LENGTH }, () => LETTERS[randomBelow(LETTERS.length)]).join('');
	},

	// 'weak', 'fair' or 'strong'.
	strength(password, name) {
		const contained = name && name.length > 2 &&
			password.toLowerCase().includes(name.toLowerCase());
		const found = bits(contained ? password.toLowerCase().replace(name.toLowerCase(), '') : password);

		return found < 50 ? 'weak' : (found < 80 ? 'fair' : 'strong');
	},

	// What is wrong with a password, or true. The limits are the server's.
	check(password) {
		if (password.length > 256)
			return _('At most 256 characters.');

		// eslint-disable-next-line no-control-regex
		if (/[\u0000-\u001f\u007f-\u009f]/.test(password))
			return _('Line breaks and other control characters are not allowed.');

		return true;
	},

	// Old callers turn letters beyond ASCII into octets in ways of their own.
	isPlain(password) {
		return /^[\x20-\x7e]*$/.test(password);
	},

	hash(password) {
		return nthash.hash(password);
	},

	// The hash that an account's section stands for; null when it has no password.
	hashOf(account) {
		if (account.nt_hash)
			return account.nt_hash.toLowerCase();

		return account.password ? nthash.hash(account.password) : null;
	},

	// The other account that has the same password, or nothing.
	usedBy(password, sectionId, accounts) {
		const wanted = nthash.hash(password);

		return accounts.find((account) => account['.name'] != sectionId && this.hashOf(account) == wanted);
	}
});
