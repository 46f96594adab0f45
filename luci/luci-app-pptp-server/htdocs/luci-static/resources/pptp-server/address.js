// IPv4 addresses as numbers: ranges, networks, and which addresses the Internet cannot reach.
'use strict';
'require baseclass';

const PRIVATE = [
	[ '10.0.0.0', 8, 'private' ],
	[ '172.16.0.0', 12, 'private' ],
	[ '192.168.0.0', 16, 'private' ],
	[ '100.64.0.0', 10, 'cgnat' ],
	[ '169.254.0.0', 16, 'private' ],
	[ '192.0.0.0', 29, 'cgnat' ]
];

return baseclass.extend({
	// The number of an address; null when the text is none. Leading zeros are refused, since some
	// programs read them as octal.
	parse(text) {
		const parts = String(text).split('.');

		if (parts.length != 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256))
			return null;

		return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
	},

	text(number) {
		return [ 24, 16, 8, 0 ].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.');
	},

	// Whether a machine can have the address: not "this network", loopback, multicast or reserved.
	isHost(number) {
		const first = Math.floor(number / 2 ** 24);

		return first != 0 && first != 127 && first < 224;
	},

	// FIRST-LAST as { first, last }; null when the text has another form.
	parseRange(text) {
		const ends = String(text).split('-').map((end) => this.parse(end));

		return (ends.length == 2 && ends[0] != null && ends[1] != null)
			? { first: ends[0], last: ends[1] } : null;
	},

	// The range of addresses of a network.
	network(address, bits) {
		const size = 2 ** (32 - bits);
		const first = Math.floor(this.parse(address) / size) * size;

		return { first, last: first + size - 1 };
	},

	contains(range, number) {
		return number >= range.first && number <= range.last;
	},

	overlap(a, b) {
		return a.first <= b.last && b.first <= a.last;
	},

	// 'private' or 'cgnat' for an address that nobody can dial from the Internet, else null.
	unreachable(text) {
		const number = this.parse(text);
		const found = PRIVATE.find(([ base, bits ]) => this.contains(this.network(base, bits), number));

		return found ? found[2] : null;
	},

	// The IPv4 networks of the router: { name, address, bits, range, device }.
	networks(interfaces) {
		return L.toArray(interfaces).flatMap((net) => L.toArray(net['ipv4-address']).map((entry) => ({
			name: net.interface,
			device: net.l3_device || net.device,
			address: entry.address,
			bits: entry.mask,
			range: this.network(entry.address, entry.mask)
		})));
	},

	// The address by which the Internet knows the router: that of the default route's interface.
	wan(interfaces) {
		const up = L.toArray(interfaces).filter((net) => L.toArray(net['ipv4-address']).length &&
			L.toArray(net.route).some((route) => route.target == '0.0.0.0' && route.mask == 0));
		const best = up.sort((a, b) => (a.metric || 0) - (b.metric || 0))[0];

		return best ? best['ipv4-address'][0].address : null;
	},

	// A range for callers that overlaps none of the router's networks.
	freeRange(networks) {
		for (let third = 77; third < 255; third++) {
			const range = this.network('192.168.' + third + '.0', 24);

			if (!networks.some((net) => this.overlap(net.range, range)))
				return {
					local: this.text(range.first + 1),
					pool: this.text(range.first + 10) + '-' + this.text(range.first + 99)
				};
		}

		return null;
	}
});
