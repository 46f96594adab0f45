// The self-check: from what is known of the router to rows that say what is in order, what is
// not, and what to do. It only judges facts; the page collects them.
'use strict';
'require baseclass';
'require pptp-server.address as address';
'require pptp-server.lan as lan';
'require pptp-server.options as options';
'require pptp-server.router as router';

function good(title, text) {
	return { state: 'good', title, text };
}

function bad(title, text, remedy) {
	return { state: 'bad', title, text, remedy };
}

function note(title, text, remedy) {
	return { state: 'note', title, text, remedy };
}

function unknown(title) {
	return { state: 'unknown', title, text: _('Cannot be read with this login.') };
}

function words(value) {
	return L.toArray(value).map((word) => String(word).toLowerCase());
}

// Whether a rule lets a protocol in from a zone; `port` only counts for TCP.
function admits(rule, zone, protocol, port) {
	const protocols = words(rule.proto || 'tcpudp');
	const known = [ protocol, 'all', 'any', '*' ].concat(protocol == 'tcp' ? [ 'tcpudp', '6' ] : [ '47' ]);
	const ports = words(rule.dest_port);
	const fits = !port || !ports.length || ports.some((range) => inRange(range, port));

	return rule.enabled != '0' && rule.target == 'ACCEPT' && !rule.dest && !rule.src_ip &&
		[ zone, '*' ].includes(rule.src) && protocols.some((word) => known.includes(word)) && fits;
}

// Whether a port is, or is between those of, `80`, `80-90` or `80:90`.
function inRange(range, port) {
	const ends = range.split(/[-:]/).map(Number);

	return port >= ends[0] && port <= ends[ends.length - 1];
}

function zoneNamed(facts, name) {
	return router.sections(facts.firewall, 'zone').find((zone) => zone.name == name);
}

// The zones from which something cannot come in.
function closedZones(facts, protocol, port) {
	const rules = (facts.rules || []).concat(router.sections(facts.firewall, 'rule'));

	return options.value(facts.server, 'src').filter((zone) =>
		(zoneNamed(facts, zone) || {}).input != 'ACCEPT' &&
		!rules.some((rule) => admits(rule, zone, protocol, port)));
}

function checkRunning(facts) {
	const title = _('The server runs');

	if (facts.status)
		return good(title, _('It listens on %s.').format(L.toArray(facts.status.listening).join(', ') || '?'));

	if (facts.server && !options.isTrue(options.value(facts.server, 'enabled')))
		return bad(title, _('It is switched off.'), _('Press Start, or enable it on the page Server.'));

	return bad(title, _('It is not running or does not answer.'),
		_('Press Start. If it does not help, the system log (Status, System Log) says why: look for "pptp-server".'));
}

function checkAccounts(facts) {
	const title = _('Somebody may dial in');

	if (!facts.config)
		return unknown(title);

	const count = router.sections(facts.config, 'user').filter((user) =>
		options.isTrue(user.enabled || '1') && (user.nt_hash || user.password)).length;

	return count ? good(title, _('Enabled accounts: %d.').format(count))
		: bad(title, _('No account is enabled.'), _('Add an account on the page Accounts.'));
}

function checkOpen(facts, title, protocol, port, remedy) {
	if (!facts.firewall)
		return unknown(title);

	const closed = closedZones(facts, protocol, port);

	if (!closed.length)
		return good(title, _('The firewall lets it in.'));

	return bad(title, _('The firewall closes it for: %s.').format(closed.join(', ')), facts.status ? remedy
		: _('The server opens the firewall itself when it starts.'));
}

function checkPort(facts) {
	const port = Number(options.value(facts.server, 'port'));

	return checkOpen(facts, _('TCP port %d is open').format(port), 'tcp', port,
		_('Choose the right zones under "Callers come from", then restart the server.'));
}

function checkGre(facts) {
	return checkOpen(facts, _('GRE (IP protocol 47) is let in'), 'gre', null,
		_('Choose the right zones under "Callers come from", then restart the server. Without GRE every call ends after a few seconds.'));
}

// A port forwarding would take the calls away to another machine.
function checkRedirect(facts) {
	const title = _('Calls are not forwarded elsewhere');
	const port = Number(options.value(facts.server, 'port'));

	if (!facts.firewall)
		return unknown(title);

	const found = router.sections(facts.firewall, 'redirect').find((rule) =>
		rule.enabled != '0' && rule.target != 'SNAT' &&
		words(rule.src_dport).some((range) => inRange(range, port)));

	return found ? bad(title, _('The port forwarding "%s" sends TCP port %d to %s.')
		.format(found.name || found['.name'], port, found.dest_ip || '?'),
	_('Remove it under Network, Firewall, Port Forwards.')) : good(title, _('There is no port forwarding for it.'));
}

function checkZone(facts) {
	const title = _('Callers are in their firewall zone');
	const zone = options.value(facts.server, 'zone');

	if (facts.firewall && !zoneNamed(facts, zone))
		return bad(title, _('There is no zone "%s".').format(zone), _('Choose another zone under "Callers join".'));

	if (!facts.status)
		return note(title, _('This is known once the server runs.'));

	return facts.status.zone_joined ? good(title, _('They are in "%s".').format(zone))
		: bad(title, _('They are not in "%s" yet, so that the firewall stops them.').format(zone),
			_('Restart the server. If it stays, see the system log.'));
}

function checkNeighbours(facts) {
	const title = _('Callers reach your computers');

	if (facts.found && facts.found.forwarding === false)
		return bad(title, _('The kernel of this router forwards no packets: callers reach the router only.'),
			_('Set net.ipv4.ip_forward to 1 in /etc/sysctl.conf and restart the router.'));

	const zone = zoneNamed(facts, options.value(facts.server, 'zone'));

	if (!zone)
		return unknown(title);

	return zone.forward == 'ACCEPT' ? good(title, _('The zone "%s" forwards among its members.').format(zone.name))
		: note(title, _('The zone "%s" does not forward among its members: callers reach the router only.').format(zone.name),
			_('If they should reach more, set "Intra zone forward" to accept under Network, Firewall.'));
}

// The zones into which the callers' zone may forward.
function ways(facts) {
	const zone = options.value(facts.server, 'zone');

	return router.sections(facts.firewall, 'forwarding')
		.filter((rule) => rule.src == zone && rule.enabled != '0')
		.map((rule) => zoneNamed(facts, rule.dest)).filter((found) => found);
}

function checkForwarding(facts) {
	const title = _('Callers reach the Internet');

	if (!facts.firewall)
		return unknown(title);

	const names = ways(facts).map((zone) => zone.name);

	return names.length ? good(title, _('The firewall forwards them to: %s.').format(names.join(', ')))
		: note(title, _('The firewall forwards callers nowhere: they reach this network only.'),
			_('If they should surf through this router, allow forwarding to "wan" under Network, Firewall.'));
}

function checkMasquerading(facts) {
	const title = _('Answers from the Internet find back');

	if (!facts.firewall)
		return unknown(title);

	const found = ways(facts);

	if (!found.length)
		return note(title, _('Not needed, since callers are not forwarded.'));

	return found.some((zone) => options.isTrue(zone.masq)) ? good(title, _('Masquerading is on.'))
		: bad(title, _('Masquerading is off in: %s.').format(found.map((zone) => zone.name).join(', ')),
			_('Turn on "IPv4 Masquerading" for the zone "wan" under Network, Firewall.'));
}

// The router's own DNS server answers local networks only. Callers belong to one if they have
// addresses of the LAN, or if the server's own address is near theirs.
function isLocal(server) {
	const range = address.parseRange(options.value(server, 'pool'));
	const own = address.parse(options.value(server, 'local_ip'));
	const block = (number) => Math.floor(number / 2 ** 16);

	return options.value(server, 'lan_mode') == 'same_subnet' ||
		(range != null && own != null && block(range.first) == block(own) && block(range.last) == block(own));
}

function checkDns(facts) {
	const title = _('Callers can look up names');
	const own = options.value(facts.server, 'local_ip');
	const servers = options.value(facts.server, 'dns');

	if (servers.includes('none'))
		return note(title, _('Callers are told no DNS server.'));

	const silent = L.toArray((facts.found || {}).dns).find((entry) => [ 'silent', 'refuses', 'unreachable' ].includes(entry.state));

	if (silent)
		return bad(title, (silent.state == 'refuses' ? _('The DNS server %s refuses to answer.')
			: _('The DNS server %s does not answer.')).format(silent.address),
		_('See to it under Network, DNS, or enter another DNS server under Addresses.'));

	if (!servers.some((server) => server == 'local_ip' || server == own))
		return good(title, _('They ask %s.').format(servers.join(', ')));

	return checkOwnDns(facts, title);
}

function checkOwnDns(facts, title) {
	const dnsmasq = router.sections(facts.dhcp, 'dnsmasq')[0];

	if (!facts.dhcp)
		return unknown(title);

	if (!dnsmasq || dnsmasq.port == '0' || (facts.dnsmasq && !facts.dnsmasq.running))
		return bad(title, _('Callers ask this router, but its DNS server is off.'),
			_('Start dnsmasq, or enter another DNS server under Addresses.'));

	if (L.toArray(dnsmasq.interface).length)
		return bad(title, _('Callers ask this router, but its DNS server only answers on: %s.').format(L.toArray(dnsmasq.interface).join(', ')),
			_('Empty the list "Listen interfaces" under Network, DNS, or enter another DNS server under Addresses.'));

	if (options.isTrue(dnsmasq.localservice) && !isLocal(facts.server))
		return bad(title, _('Callers ask this router, but its DNS server answers local networks only and may take callers for strangers.'),
			_('Turn off "Local service only" under Network, DNS (on 24.10: DHCP and DNS; WAN stays closed by the firewall), or enter another DNS server under Addresses.'));

	return good(title, _('They ask this router.'));
}

function checkWan(facts) {
	const title = _('The router can be reached from the Internet');
	const wan = address.wan(facts.interfaces);

	if (!L.toArray(facts.interfaces).length)
		return unknown(title);

	if (!wan)
		return bad(title, _('There is no connection to the Internet.'), _('See Network, Interfaces.'));

	const why = address.unreachable(wan);

	if (why == 'cgnat')
		return bad(title, _('The provider shares one address among many customers (CGNAT): %s cannot be dialled.').format(wan),
			_('Ask the provider for a public IPv4 address. Until then only devices inside the provider\'s network can call.'));

	return why ? bad(title, _('The WAN address %s is private: another router stands in front of this one.').format(wan),
		_('Forward TCP port 1723 to this router there and turn on "PPTP pass-through", or set that router to bridge mode.'))
		: good(title, _('The WAN address %s is public. Whether the provider blocks PPTP shows only a call from outside.').format(wan));
}

function checkClash(facts) {
	const title = _('No other PPTP server is in the way');
	const other = facts.pptpd;

	if (!other)
		return unknown(title);

	if (other.running)
		return bad(title, _('"pptpd" runs on this router and holds the port.'),
			_('Import its accounts on the page Accounts, then stop and disable it under System, Startup.'));

	return other.enabled ? note(title, _('"pptpd" is installed and starts with the router.'),
		_('Disable it under System, Startup.')) : good(title, _('There is none.'));
}

function checkHelper(facts) {
	const title = _('Connection tracking helper');

	if (!facts.modules)
		return unknown(title);

	return facts.modules.includes('nf_conntrack_pptp')
		? good(title, _('It is loaded: devices at home may also dial out to other PPTP servers.'))
		: good(title, _('It is not loaded; this server does not need it. Install kmod-nf-nathelper-extra only if several devices at home dial out to other PPTP servers.'));
}

function checkPool(facts) {
	const title = _('The callers\' addresses are free');

	if (!L.toArray(facts.interfaces).length)
		return unknown(title);

	const wrong = lan.judge(address.parseRange(options.value(facts.server, 'pool')), facts);
	const told = facts.status && facts.status.lan ? facts.status.lan.problem : '';

	if (wrong)
		return bad(title, wrong.what, [ wrong.advice, _('The range stands under Addresses.') ].join(' ').trim());

	return told ? bad(title, told) : good(title, _('Nothing else of this router uses them.'));
}

// The LAN that the server has found.
function checkLan(facts) {
	const title = _('The server knows the LAN');

	if (!facts.status || !facts.status.lan)
		return facts.status ? unknown(title) : note(title, _('This is known once the server runs.'));

	const { device, up, networks } = facts.status.lan;

	if (!device)
		return note(title, _('It has found none: callers see no broadcasts of it.'),
			_('If there is one, name its network under Expert, "The LAN".'));

	return up ? good(title, [ device, ...L.toArray(networks) ].join(' '))
		: bad(title, _('Its device %s is down.').format(device), _('See Network, Interfaces.'));
}

// Whether there is a prefix for callers where they should get one from this router.
function checkIpv6(facts) {
	const title = _('IPv6 for callers');

	if (!facts.config || !L.toArray(facts.interfaces).length)
		return unknown(title);

	const wanted = options.value(facts.server, 'ipv6_prefix');

	if (!wanted.length)
		return good(title, _('Not wanted: it is switched off.'));

	const device = options.value(facts.server, 'device');
	const own = facts.interfaces.filter((net) => [ net.l3_device, net.device ].includes(device));
	const given = own.some((net) => L.toArray(net['ipv6-prefix-assignment']).length);

	return (given || wanted.some((prefix) => prefix != 'auto')) ? good(title, _('There is a prefix for them.'))
		: bad(title, _('This router has no IPv6 prefix left for them.'),
			_('See the prefixes under Network, Interfaces, or enter one of your own under IPv6, such as fd12:3456:789a:77::/64.'));
}

const CHECKS = [
	checkRunning, checkAccounts, checkPort, checkGre, checkRedirect, checkClash, checkWan, checkZone,
	checkLan, checkNeighbours, checkForwarding, checkMasquerading, checkDns, checkPool, checkIpv6, checkHelper
];

return baseclass.extend({
	// Asks the router for everything that the checks look at. What is refused becomes null.
	collect() {
		return Promise.all([
			router.status(), router.config('pptp-server'), router.serviceRules(),
			router.config('firewall'), router.config('dhcp'), router.interfaces(),
			router.service('dnsmasq'), router.service('pptpd'), router.kernelModules(), router.check()
		]).then(([ status, config, rules, firewall, dhcp, interfaces, dnsmasq, pptpd, modules, found ]) => ({
			status, config, rules, firewall, dhcp, interfaces, dnsmasq, pptpd, modules, found,
			server: router.sections(config, 'server')[0] || null
		}));
	},

	rows(facts) {
		return CHECKS.map((check) => check(facts));
	}
});
