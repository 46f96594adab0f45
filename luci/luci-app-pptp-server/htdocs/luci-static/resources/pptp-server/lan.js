// The LAN and the addresses for callers: which network it is, what DHCP gives out in it, and
// whether a range of addresses suits the mode of the server.
'use strict';
'require baseclass';
'require pptp-server.address as address';
'require pptp-server.options as options';

// What dnsmasq takes where the file says nothing.
const DHCP_START = 100;
const DHCP_LIMIT = 150;

// The networks of the router without the callers' own.
function others(facts) {
	const device = options.value(facts.server, 'device');

	return address.networks(facts.interfaces).filter((net) => net.device != device && net.name != 'loopback');
}

// The network that the server says is the LAN; while it does not run, the one that it will take.
function find(facts) {
	const told = facts.status && facts.status.lan ? facts.status.lan.device : null;
	const device = told || options.value(facts.server, 'lan_device');
	const name = options.value(facts.server, 'lan') || 'lan';

	return others(facts).find((net) => (device && name != 'none' ? net.device == device : net.name == name)) || null;
}

// The addresses that DHCP gives out in a network; null when it gives none or that is not known.
function dhcpRange(dhcp, net) {
	const section = Object.values(dhcp || {}).find((one) => one['.type'] == 'dhcp' && net && one.interface == net.name);

	if (!section || section.ignore == '1' || section.dynamicdhcp == '0' || section.dhcpv4 == 'disabled')
		return null;

	const first = net.range.first + Number(section.start || DHCP_START);
	const last = Math.min(first + Number(section.limit || DHCP_LIMIT), net.range.last) - 1;

	return first <= last ? { first, last } : null;
}

function text(range) {
	return address.text(range.first) + '-' + address.text(range.last);
}

// The larger free part of the LAN beside what DHCP gives out and the router itself.
function freeInside(net, given) {
	const own = address.parse(net.address);
	const parts = [ { first: net.range.first + 1, last: given.first - 1 }, { first: given.last + 1, last: net.range.last - 1 } ]
		.flatMap((part) => address.contains(part, own)
			? [ { first: part.first, last: own - 1 }, { first: own + 1, last: part.last } ] : [ part ])
		.filter((part) => part.first <= part.last)
		.sort((a, b) => (b.last - b.first) - (a.last - a.first));

	return parts.length ? _('Better: %s.').format(text(parts[0])) : '';
}

function insideOut(range, net) {
	if (!address.overlap(range, net.range))
		return { what: _('The range is not in the network "%s" (%s/%d): callers are routed in spite of "Same subnet".').format(net.name, net.address, net.bits), advice: '' };

	return (range.first > net.range.first && range.last < net.range.last) ? null
		: { what: _('The range reaches out of the network "%s" (%s/%d).').format(net.name, net.address, net.bits), advice: '' };
}

function overlapping(clash, facts) {
	const free = address.freeRange(others(facts));

	return {
		clash,
		what: _('The range overlaps with the network "%s". Devices there look for a caller in their own cable or Wi-Fi and do not find it; and an address may be given away twice.').format(clash.name),
		advice: free ? _('Better: %s, with %s as the address of the server.').format(free.pool, free.local) : ''
	};
}

return baseclass.extend({
	others, find, dhcpRange,

	// What DHCP gives out in the LAN and the range takes as well: the server refuses that.
	givenTwice(range, facts) {
		const net = find(facts);
		const given = dhcpRange(facts.dhcp, net);

		return (range && given && address.overlap(given, range)) ? {
			what: _('DHCP gives out %s in the network "%s"; the server refuses a range with the same addresses.').format(text(given), net.name),
			advice: freeInside(net, given)
		} : null;
	},

	// What is wrong with a range of addresses for callers: { what, advice }, or null.
	judge(range, facts) {
		const net = options.value(facts.server, 'lan_mode') == 'same_subnet' ? find(facts) : null;
		const clash = range && others(facts).find((other) => address.overlap(other.range, range) && (!net || other.name != net.name));

		if (clash)
			return overlapping(clash, facts);

		return this.givenTwice(range, facts) || (range && net ? insideOut(range, net) : null);
	}
});
