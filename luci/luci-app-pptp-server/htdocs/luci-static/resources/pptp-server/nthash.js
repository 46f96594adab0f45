// The NT hash of a password, as MS-CHAPv2 uses it (RFC 2759 section 8.3): MD4 (RFC 1320) over the
// password in UTF-16, low octet first. Browsers offer no MD4 of their own.
'use strict';
'require baseclass';

const SHIFTS = [ [ 3, 7, 11, 19 ], [ 3, 5, 9, 13 ], [ 3, 9, 11, 15 ] ];
const ORDER = [
	[ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 ],
	[ 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 ],
	[ 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 ]
];
const ADDENDS = [ 0, 0x5a827999, 0x6ed9eba1 ];
const MIX = [
	(x, y, z) => (x & y) | (~x & z),
	(x, y, z) => (x & y) | (x & z) | (y & z),
	(x, y, z) => x ^ y ^ z
];

function rotate(word, bits) {
	return (word << bits) | (word >>> (32 - bits));
}

// The message with its padding and length, as words with the low octet first.
function words(octets) {
	const padded = new Uint8Array(Math.ceil((octets.length + 9) / 64) * 64);
	const view = new DataView(padded.buffer);

	padded.set(octets);
	padded[octets.length] = 0x80;
	view.setUint32(padded.length - 8, octets.length * 8, true);

	return Array.from({ length: padded.length / 4 }, (_unused, at) => view.getUint32(at * 4, true));
}

// One round of 16 steps; the four registers change places after each.
function round(registers, block, number) {
	let [ a, b, c, d ] = registers;

	for (let step = 0; step < 16; step++) {
		const sum = a + MIX[number](b, c, d) + block[ORDER[number][step]] + ADDENDS[number];

		[ a, b, c, d ] = [ d, rotate(sum | 0, SHIFTS[number][step % 4]), b, c ];
	}

	return [ a, b, c, d ];
}

function md4(octets) {
	const message = words(octets);
	let state = [ 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 ];

	for (let at = 0; at < message.length; at += 16) {
		const block = message.slice(at, at + 16);
		const mixed = [ 0, 1, 2 ].reduce((registers, number) => round(registers, block, number), state);

		state = state.map((word, place) => (word + mixed[place]) | 0);
	}

	return state;
}

function hex(word) {
	return [ 0, 8, 16, 24 ].map((bits) => ((word >>> bits) & 255).toString(16).padStart(2, '0')).join('');
}

return baseclass.extend({
	// 32 hex digits.
	hash(password) {
		const octets = new Uint8Array(password.length * 2);

		for (let at = 0; at < password.length; at++) {
			octets[at * 2] = password.charCodeAt(at) & 255;
			octets[at * 2 + 1] = password.charCodeAt(at) >> 8;
		}

		return md4(octets).map(hex).join('');
	}
});
