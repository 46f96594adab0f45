// Every option of the server's section in the configuration file: on which tab it stands, what it
// takes, its default, its name and help for people. A test compares the list with the server's own.
'use strict';
'require baseclass';
'require pptp-server.address as address';

const TRUE_WORDS = [ '1', 'on', 'true', 'yes', 'enabled' ];

function flag(tab, name, byDefault, title, help) {
	return { tab, name, kind: 'flag', default: byDefault, title, help };
}

function number(tab, name, byDefault, min, max, title, help) {
	return { tab, name, kind: 'number', default: byDefault, min, max, title, help };
}

function choice(tab, name, byDefault, words, title, help) {
	return { tab, name, kind: 'choice', default: byDefault, words, title, help };
}

function text(tab, name, byDefault, check, title, help) {
	return { tab, name, kind: 'text', default: byDefault, check, title, help };
}

function list(tab, name, byDefault, check, title, help) {
	return { tab, name, kind: 'list', default: byDefault, check, title, help };
}

function checkHost(value) {
	const found = address.parse(value);

	return (found != null && address.isHost(found)) || _('Enter an IPv4 address such as 192.168.77.1.');
}

function checkListen(value) {
	const found = address.parse(value);

	return (found != null && (found == 0 || found < 224 * 2 ** 24)) ||
		_('Enter an IPv4 address of this router, or 0.0.0.0 for all of them.');
}

// A server that callers are told; the word says that they are told none.
function checkServer(value) {
	return value == 'none' || checkHost(value);
}

function checkNetwork(value) {
	const [ first, bits ] = String(value).split('/');
	const start = address.parse(first);

	return (start != null && address.isHost(start) && /^([1-9]|[12]\d|3[0-2])$/.test(bits) && start % 2 ** (32 - bits) == 0) ||
		_('Enter a network such as 192.168.5.0/24: its first address, a slash, and the length of its prefix.');
}

function checkProgram(value) {
	return /^\/[^\s]{1,127}$/.test(value) || _('Enter the path of a program, such as /root/hook.');
}

// A prefix of 64 bits, or the word for those that the router itself assigns.
function checkPrefix(value) {
	return value == 'auto' || /^([23][0-9a-f]{3}|f[cd][0-9a-f]{2})(:[0-9a-f]{1,4}){0,3}::\/64$/i.test(value) ||
		_('Enter an IPv6 prefix of 64 bits such as fd12:3456:789a:77::/64, or the word auto.');
}

// A server that callers are told; the words are this router and nobody.
function checkServer6(value) {
	return value == 'router' || value == 'none' || /^(?=.*:)(?!f[ef])(?!::1?$)[0-9a-f:]{3,39}$/i.test(value) ||
		_('Enter an IPv6 address such as 2001:db8::53, or the word router.');
}

function checkName(max, also) {
	return (value) => (value.length <= max && [ ...value ].every((letter) => /[A-Za-z0-9]/.test(letter) || also.includes(letter))) ||
		_('At most %d letters, digits or any of %s').format(max, also);
}

function checkPorts(value) {
	const [ , first, last ] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) || [];
	const isPort = (port) => port > 0 && port < 65536;

	return value == 'none' || (isPort(first) && (last == null || (isPort(last) && +first <= +last))) ||
		_('Enter a port such as 6112, or a range such as 27015-27030.');
}

function checkPool(value) {
	const range = address.parseRange(value);

	if (!range || !address.isHost(range.first) || !address.isHost(range.last))
		return _('Enter the first and the last address with a hyphen between, such as 192.168.77.10-192.168.77.99.');

	if (range.first > range.last)
		return _('The range ends before it starts: put the smaller address first.');

	return range.last - range.first < 4096 || _('At most 4096 addresses.');
}

const SERVER = [
	flag('basic', 'enabled', '1', _('Enabled'),
		_('Whether the server starts, now and after each restart of the router.')),
	list('basic', 'src', 'wan', checkName(32, '_-'), _('Callers come from'),
		_('Firewall zones from which callers may dial in. The firewall opens for them only while the server runs.')),
	text('basic', 'zone', 'lan', checkName(32, '_-'), _('Callers join'),
		_('Firewall zone of the callers. In "lan" they may do what your computers at home may do.')),

	text('addresses', 'local_ip', '192.168.77.1', checkHost, _('Address of the server'),
		_('The router\'s own address inside the tunnel, outside of the range below.')),
	text('addresses', 'pool', '192.168.77.10-192.168.77.99', checkPool, _('Addresses for callers'),
		_('Each caller gets one of them. Windows reaches other callers and the router best when the range starts with 192.168.')),
	choice('addresses', 'lan_mode', 'routed', {
		routed: _('Routed: callers have a network of their own'),
		same_subnet: _('Same subnet: callers have addresses of the LAN')
	}, _('Callers and the LAN'), _('Routed suits most. Same subnet is for machines and games that only talk to their own network: choose addresses for callers in the LAN that neither DHCP nor anybody else uses.')),
	list('addresses', 'dns', 'local_ip', checkServer, _('DNS servers'),
		_('Up to two addresses that callers ask for names. Empty: the router itself. The word none: callers are told none.')),
	number('addresses', 'mtu', '1400', 576, 1456, _('Largest packet (MTU)'),
		_('Octets of the largest packet inside the tunnel. Smaller is slower, but helps where web pages hang.')),

	text('told', 'domain', '', checkName(64, '._-'), _('Domain'),
		_('Callers that ask by DHCP inside the tunnel, such as Windows, complete short names with it. Empty: none.')),
	list('told', 'push_route', '', checkNetwork, _('Networks through the tunnel'),
		_('Up to 8 networks such as 192.168.5.0/24 that callers without "Use default gateway on remote network" send into the tunnel. The LAN and the callers\' own range are told anyway.')),
	list('told', 'wins', '', checkServer, _('WINS servers'),
		_('Up to two addresses of old Windows name servers. Nearly always empty.')),

	list('ipv6', 'ipv6_prefix', '', checkPrefix, _('IPv6 prefixes'),
		_('Of which callers make their IPv6 addresses, up to two. The word auto: what this router gives to its networks. Empty: callers get no IPv6.')),
	list('ipv6', 'ipv6_dns', 'router', checkServer6, _('IPv6 DNS servers'),
		_('Up to two addresses. The word router: this router itself. The word none: callers are told none.')),

	flag('games', 'relay', '1', _('Pass broadcasts on'),
		_('Games find each other, and Windows computers too: what one machine says to all goes from the LAN to callers, from callers to the LAN, and among callers.')),
	list('games', 'relay_ports', '1-65535', checkPorts, _('Ports that pass'),
		_('UDP ports or ranges of them, up to 16. The ports of a single game are enough for that game.')),
	list('games', 'relay_deny', '7 19 520', checkPorts, _('Ports that do not pass'),
		_('Whatever stands above. The word none: none of them. DHCP (67 and 68) never passes.')),
	number('games', 'relay_rate', '30', 1, 250, _('Broadcasts per second'),
		_('More of one machine do not pass, so that a storm in one place does not become one everywhere.')),
	flag('games', 'relay_mdns', '0', _('Printers and Apple devices'),
		_('What they announce by multicast DNS passes too.')),
	flag('games', 'relay_ssdp', '0', _('Media players and TV sets'),
		_('What they announce by SSDP (UPnP) passes too.')),

	choice('security', 'mppe', 'required', {
		required: _('Required: callers without encryption are refused'),
		optional: _('Optional: callers decide'),
		off: _('Off: everybody on the way can read along')
	}, _('Encryption'), _('Leave this at "Required" unless a device cannot encrypt at all.')),
	choice('security', 'mppe_min_bits', '128', { 128: _('128 bits'), 56: _('56 bits'), 40: _('40 bits') },
		_('Shortest key'), _('56 and 40 bits protect nothing today.')),
	flag('security', 'mppe_stateful', '0', _('Stateful encryption'),
		_('Allows callers to choose a variant that stalls when packets get lost. Only for devices that know no other.')),
	choice('security', 'duplicate', 'replace', {
		replace: _('The new connection takes the place of the old one'),
		refuse: _('The new connection is refused'),
		allow: _('Both stay')
	}, _('Second connection of an account'), _('A device that lost its line dials again while the old connection still seems to stand; "takes the place" suits that best.')),
	number('security', 'backoff_failures', '5', 0, 1000, _('Failed logins until a pause'),
		_('After so many failed logins in a row an address or an account has to wait. 0: never.')),
	number('security', 'backoff_time', '300', 1, 65535, _('Length of the pause'), _('Seconds.')),

	number('limits', 'max_sessions', '32', 1, 1024, _('Connections at once'),
		_('No more callers than this, and no more than the range has addresses.')),
	number('limits', 'max_connections', '64', 1, 2048, _('TCP connections at once'),
		_('Those that have not logged in yet count too.')),
	number('limits', 'max_per_address', '8', 1, 2048, _('TCP connections of one address'),
		_('At once, before they are logged in.')),
	number('limits', 'login_timeout', '30', 5, 600, _('Login timeout'),
		_('Seconds from the first contact until the connection must be complete.')),
	number('limits', 'lcp_echo_interval', '20', 0, 3600, _('Interval of echoes'),
		_('Seconds of silence after which the server tests whether a caller is still there. 0: never.')),
	number('limits', 'lcp_echo_failures', '4', 1, 255, _('Lost echoes'),
		_('So many unanswered echoes in a row end a connection.')),
	number('limits', 'echo_interval', '60', 5, 3600, _('Interval of TCP echoes'),
		_('Seconds of silence after which the TCP connection itself is tested.')),

	list('expert', 'listen', '0.0.0.0', checkListen, _('Listen on'),
		_('Addresses of this router, up to 8. 0.0.0.0 is all of them.')),
	number('expert', 'port', '1723', 1, 65535, _('TCP port'), _('Windows always dials 1723.')),
	text('expert', 'lan', '', checkName(32, '_'), _('The LAN'),
		_('Network of this router whose machines the callers join. Empty: the one of their firewall zone, usually lan. The word none: no network.')),
	text('expert', 'lan_device', '', checkName(15, '._-'), _('Device of the LAN'),
		_('Only where the name of the network does not tell it, such as br-lan.')),
	text('expert', 'device', 'pptps0', checkName(15, '._-'), _('Network device'),
		_('Name of the one device behind which all callers are.')),
	text('expert', 'name', 'pptp-server', checkName(64, '._-'), _('Name of the server'),
		_('What the server calls itself towards callers.')),
	text('expert', 'hook', '', checkProgram, _('Program on each call'),
		_('Path of a program that runs when a caller comes online or goes, such as /root/hook. Scripts in /etc/hotplug.d/pptp-server run as well.')),
	choice('expert', 'log_level', 'info', {
		error: _('Errors'), warn: _('Warnings'), info: _('Each step of each connection'),
		debug: _('More'), trace: _('Each packet')
	}, _('Log'), _('How much the server writes to the system log.'))
];

return baseclass.extend({
	server: SERVER,

	// The tabs in order.
	tabs: [
		[ 'basic', _('Basics') ], [ 'addresses', _('Addresses') ], [ 'told', _('Names and routes') ], [ 'ipv6', 'IPv6' ],
		[ 'games', _('LAN games') ], [ 'security', _('Security') ], [ 'limits', _('Limits and times') ], [ 'expert', _('Expert') ]
	],

	isTrue(value) {
		return TRUE_WORDS.includes(value);
	},

	// What the server takes for an option that the file may leave out; lists always as lists.
	value(section, name) {
		const row = SERVER.find((candidate) => candidate.name == name);
		const given = section ? section[name] : null;

		if (row.kind == 'list')
			return L.toArray(given).length ? L.toArray(given) : L.toArray(row.default);

		return (given != null && given !== '') ? given : row.default;
	},

	checkHost,
	checkNetwork
});
