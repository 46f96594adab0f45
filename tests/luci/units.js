// Checks of the modules that need no browser: hashes, addresses, passwords, quoting, self-check.
// units.js: one line for each. units.js --lists: the names of options and causes, as JSON.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const load = require('./load.js');

const nthash = load('pptp-server.nthash');
const address = load('pptp-server.address');
const password = load('pptp-server.password');
const options = load('pptp-server.options');
const rights = load('pptp-server.rights');
const checks = load('pptp-server.checks');
const lan = load('pptp-server.lan');
const guide = load('pptp-server.guide');
const importer = load('pptp-server.importer');
const words = load('pptp-server.words');

// Passwords whose octets just fit into a block of MD4, and just do not; from OpenSSL.
const EDGES = [
	[ 'b'.repeat(27), 'b244ebbb521f2284da72a1788eea8eeb' ],
	[ 'b'.repeat(28), '591f4cce833ad3ce33b59de81a7a7696' ],
	[ 'b'.repeat(31), 'b103943b7452df9d38bcf1edb8c5b606' ],
	[ 'b'.repeat(32), '17e4f30ea4c1bc506eeb4b3f82e8fe1b' ],
	[ 'b'.repeat(60), 'e9fd480c931d69c17de27cfe552d9591' ]
];
const SERVER = { '.type': 'server', '.index': 0 };
const ZONES = {
	lan: { '.type': 'zone', '.index': 0, name: 'lan', forward: 'ACCEPT', input: 'ACCEPT' },
	wan: { '.type': 'zone', '.index': 1, name: 'wan', input: 'REJECT', masq: '1' },
	way: { '.type': 'forwarding', '.index': 2, src: 'lan', dest: 'wan' }
};
const RULES = [
	{ src: 'wan', proto: 'tcp', dest_port: '1723', target: 'ACCEPT' }, { src: 'wan', proto: 'gre', target: 'ACCEPT' }
];

const LAN = { problem: '', device: 'br-lan', up: true, address: '192.168.1.1', networks: [ '192.168.1.0/24' ] };

function facts(changes) {
	return {
		status: { listening: [ '0.0.0.0:1723' ], zone_joined: true, lan: LAN }, server: SERVER,
		config: { a: { '.type': 'user', '.index': 0, nt_hash: 'x' } }, rules: RULES, firewall: ZONES,
		dhcp: { d: { '.type': 'dnsmasq', '.index': 0 } }, dnsmasq: { running: true }, pptpd: {}, modules: [],
		interfaces: [ wan('198.51.100.1') ], ...changes
	};
}

function wan(number, more) {
	return { interface: 'wan', device: 'eth1', 'ipv4-address': [ { address: number, mask: 24 } ], route: [ { target: '0.0.0.0', mask: 0 } ], ...more };
}

// The states of all rows, as letters: g(ood), b(ad), n(ote), u(nknown).
function states(changes) {
	return checks.rows(facts(changes)).map((row) => row.state[0]).join('');
}

function firewall(...more) {
	return { ...ZONES, ...Object.fromEntries(more.map((section, at) => [ 'x' + at, { '.index': 9 + at, ...section } ])) };
}

const UNITS = {
	'NT hashes agree with the vectors of the server'() {
		const file = JSON.parse(fs.readFileSync(path.join(__dirname, '../data/mschap-mppe.json')));
		const known = [ file.base, ...file.extra ].filter((entry) => entry.password != null)
			.map((entry) => [ entry.password, entry.nt_password_hash ]);

		assert(known.length >= 6);
		known.concat(EDGES).forEach(([ text, hash ]) => assert.equal(nthash.hash(text), hash, text));
	},
	'addresses are read strictly'() {
		[ '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', 'x', '', '1.2.3.4.5', '-1.2.3.4' ]
			.forEach((text) => assert.equal(address.parse(text), null, text));
		assert.equal(address.text(address.parse('192.168.77.1')), '192.168.77.1');
		assert.deepEqual(address.network('10.1.2.3', 8), { first: 10 * 2 ** 24, last: 11 * 2 ** 24 - 1 });
	},
	'private and shared addresses are told apart'() {
		const cases = { '10.0.0.1': 'private', '172.31.0.1': 'private', '172.32.0.1': null, '192.168.1.1': 'private',
			'100.64.0.1': 'cgnat', '100.127.255.255': 'cgnat', '100.128.0.1': null, '8.8.8.8': null, '169.254.1.1': 'private' };

		Object.entries(cases).forEach(([ text, kind ]) => assert.equal(address.unreachable(text), kind, text));
	},
	'the default route\'s address is the WAN address'() {
		const other = { interface: 'lan', 'ipv4-address': [ { address: '192.168.1.1', mask: 24 } ] };

		assert.equal(address.wan([ other, wan('198.51.100.1') ]), '198.51.100.1');
		assert.equal(address.wan([ wan('1.1.1.1', { metric: 20 }), wan('2.2.2.2', { metric: 10 }) ]), '2.2.2.2');
		assert.equal(address.wan([ other ]), null);
	},
	'a free range avoids the networks of the router'() {
		const networks = address.networks([ { interface: 'a', 'ipv4-address': [ { address: '192.168.77.1', mask: 23 } ] } ]);

		assert.deepEqual(address.freeRange(networks), { local: '192.168.78.1', pool: '192.168.78.10-192.168.78.99' });
	},
	'values that the server refuses are refused here'() {
		const check = (name, value) => options.server.find((row) => row.name == name).check(value);

		[ '1.2.3.4', '5.5.5.5-1.1.1.1', '10.0.0.0/24', '127.0.0.1-127.0.0.9', '10.0.0.1-10.0.16.1', '10.0.0.1-' ]
			.forEach((value) => assert.notEqual(check('pool', value), true, value));
		assert.equal(check('pool', '10.0.0.1-10.0.0.1'), true);
		[ '0.0.0.0', '127.0.0.1', '224.0.0.1', '300.1.1.1' ].forEach((value) => assert.notEqual(check('local_ip', value), true, value));
		[ 'a b', 'ä', 'x'.repeat(33), '"' ].forEach((value) => assert.notEqual(check('zone', value), true, value));
		assert.equal(check('dns', 'none'), true);
		assert.equal(check('listen', '127.0.0.1'), true);
	},
	'networks and hours that the server refuses are refused here'() {
		const check = (name, value) => rights.rows.find((row) => row.name == name).check(value);
		const server = { local_ip: '192.168.77.1', pool: '192.168.77.10-192.168.77.99' };
		const others = [ { '.name': 'a', username: 'x', route: '192.168.5.0/24 10.5.0.0/16' } ];

		[ '0.0.0.0/0', '192.168.5.1/24', '192.168.5.0', '192.168.5.0/33', '224.0.0.0/4', '128.0.0.0/1', 'x/8', '' ]
			.forEach((value) => assert.notEqual(check('route', value), true, value));
		[ '192.168.5.0/24', '10.0.0.1/32', '10.0.0.0/8' ].forEach((value) => assert.equal(check('route', value), true, value));
		[ '25:00-26:00', 'mon', 'mon 08:00', 'mon 08:00-24:01', 'mon 08:00-08:00', 'mon 24:00-06:00', 'mom-fri 08:00-09:00', 'mon, 08:00-09:00', 'mon 8:00-9:00', '' ]
			.forEach((value) => assert.notEqual(check('hours', value), true, value));
		[ 'mon-fri 08:00-22:00', 'sat,sun 20:00-02:00', '06:00-24:00', 'Fri-mon,wed 22:00-06:00' ]
			.forEach((value) => assert.equal(check('hours', value), true, value));
		[ '-1', '10000001', '1.5', 'x' ].forEach((value) => assert.notEqual(check('rate_up', value), true, value));
		[ '192.168.77.0/30', '192.168.77.64/26', '192.168.0.0/20', '10.5.5.0/24' ]
			.forEach((value) => assert.notEqual(rights.clash(value, 'b', server, others), true, value));
		assert.equal(rights.clash('192.168.5.0/24', 'a', server, others), true);
		assert.deepEqual(rights.items({ name: 'hours' }, 'mon 08:00-09:00'), [ 'mon 08:00-09:00' ]);
	},
	'generated passwords have 20 letters, all different'() {
		const made = Array.from({ length: 500 }, () => password.generate());

		assert(made.every((text) => /^[2-9a-zA-Z]{20}$/.test(text) && !/[0O1lI]/.test(text)));
		assert.equal(new Set(made).size, 500);
		assert.equal(new Set(made.join('')).size, 56);
		assert.equal(password.strength(made[0], 'alice'), 'strong');
	},
	'weak passwords are called weak'() {
		[ 'secret', '12345678901234567890', 'aaaaaaaaaaaaaaaaaaaa', 'alice2024', 'abcdefghijklmnop' ]
			.forEach((text) => assert.equal(password.strength(text, 'alice'), 'weak', text));
	},
	'a password that another account has is found'() {
		const others = [ { '.name': 'a', nt_hash: '44EBBA8D5312B8D611474411F56989AE', username: 'x' }, { '.name': 'b', password: 'plain' } ];

		assert.equal(password.usedBy('clientPass', 'c', others)['.name'], 'a');
		assert.equal(password.usedBy('plain', 'c', others)['.name'], 'b');
		assert.equal(password.usedBy('plain', 'b', others), undefined);
	},
	'names and passwords are quoted for each kind of caller'() {
		const [ windows, mikrotik, linux ] = guide.parts('h', 'a"b\'c $x', 'p\\"?');

		assert(windows.lines.includes('User name: a"b\'c $x'));
		assert(mikrotik.lines[0].includes('user="a\\"b\'c \\$x" password="p\\\\\\"\\?"'));
		assert.equal(linux.lines[0], '"a\\"b\'c $x" home "p\\\\\\"?" *');
		assert(linux.more[0].includes("user 'a\"b'\\''c $x' "));
	},
	'the password is not in the instructions unless it is known'() {
		guide.parts('h', 'n', undefined).forEach((part) => assert(part.lines.join().includes('(the password of the account)') || part.title == 'x'));
	},
	'self-check: all is well'() {
		assert.equal(states({}), 'g'.repeat(16));
	},
	'self-check: each fault shows in its own row'() {
		const rows = checks.rows(facts({})).map((row) => row.title);
		const fault = (title, changes, state) => assert.equal(checks.rows(facts(changes))[rows.indexOf(title)].state, state || 'bad', title);

		fault('The server runs', { status: null });
		fault('Somebody may dial in', { config: {} });
		fault('TCP port 1723 is open', { rules: RULES.slice(1) });
		fault('GRE (IP protocol 47) is let in', { rules: RULES.slice(0, 1) });
		fault('Calls are not forwarded elsewhere', { firewall: firewall({ '.type': 'redirect', src_dport: '1700-1800', dest_ip: '192.168.1.5' }) });
		fault('No other PPTP server is in the way', { pptpd: { running: true } });
		fault('The router can be reached from the Internet', { interfaces: [ wan('100.64.1.1') ] });
		fault('The router can be reached from the Internet', { interfaces: [ wan('10.1.1.1') ] });
		fault('Callers are in their firewall zone', { status: { zone_joined: false } });
		fault('Callers are in their firewall zone', { server: { ...SERVER, zone: 'nowhere' } });
		fault('Callers reach your computers', { firewall: { ...ZONES, lan: { ...ZONES.lan, forward: 'REJECT' } } }, 'note');
		fault('Callers reach the Internet', { firewall: { lan: ZONES.lan, wan: ZONES.wan } }, 'note');
		fault('Answers from the Internet find back', { firewall: { ...ZONES, wan: { ...ZONES.wan, masq: '0' } } });
		fault('Callers reach your computers', { found: { forwarding: false, dns: [] } });
		[ 'silent', 'refuses', 'unreachable' ].forEach((state) =>
			fault('Callers can look up names', { found: { forwarding: true, dns: [ { address: '9.9.9.9', state: 'answers' }, { address: '1.1.1.1', state } ] } }));
		fault('Callers can look up names', { found: { forwarding: true, dns: [ { address: '9.9.9.9', state: 'asked' } ] } }, 'good');
		const local = { d: { '.type': 'dnsmasq', '.index': 0, localservice: '1' } };

		fault('Callers can look up names', { dhcp: local }, 'good');
		fault('Callers can look up names', { dhcp: local, server: { ...SERVER, local_ip: '10.0.0.1' } });
		fault('Callers can look up names', { dhcp: local, server: { ...SERVER, local_ip: '10.0.0.1', lan_mode: 'same_subnet' } }, 'good');
		fault('Callers can look up names', { dnsmasq: { running: false } });
		fault('Callers can look up names', { dhcp: { d: { '.type': 'dnsmasq', '.index': 0, interface: [ 'lan' ] } } });
		fault('The callers\' addresses are free', { interfaces: [ wan('192.168.77.200') ] });
		fault('The callers\' addresses are free', { status: { lan: { ...LAN, problem: 'x' } } });
		fault('The server knows the LAN', { status: { lan: { problem: '' } } }, 'note');
		fault('The server knows the LAN', { status: { lan: { ...LAN, up: false } } });
		fault('IPv6 for callers', { server: { ...SERVER, ipv6_prefix: 'auto' } });
		fault('IPv6 for callers', { server: { ...SERVER, ipv6_prefix: 'fd00::/64' } }, 'good');
	},
	'self-check: a prefix that the network of the callers has is for them'() {
		const own = { interface: 'pptpsrv', l3_device: 'pptps0', 'ipv6-prefix-assignment': [ { address: 'fd00::', mask: 64 } ] };

		assert.equal(states({ server: { ...SERVER, ipv6_prefix: [ 'auto' ] }, interfaces: [ wan('198.51.100.1'), own ] }), 'g'.repeat(16));
	},
	'a range for callers is judged by the mode of the LAN and by what DHCP gives out'() {
		const home = { interface: 'lan', device: 'br-lan', 'ipv4-address': [ { address: '192.168.1.1', mask: 24 } ] };
		const judge = (pool, mode, dhcp) => (lan.judge(address.parseRange(pool), {
			interfaces: [ home, wan('198.51.100.1') ], status: { lan: LAN }, server: { lan_mode: mode },
			dhcp: { d: { '.type': 'dhcp', interface: 'lan', ...dhcp } }
		}) || { what: '' }).what.split(' ').slice(0, 3).join(' ');

		assert.equal(judge('192.168.77.10-192.168.77.99', 'routed'), '');
		assert.equal(judge('192.168.1.10-192.168.1.20', 'routed'), 'The range overlaps');
		assert.equal(judge('192.168.1.10-192.168.1.20', 'same_subnet'), '');
		assert.equal(judge('192.168.1.90-192.168.1.100', 'same_subnet'), 'DHCP gives out');
		assert.equal(judge('192.168.1.249-192.168.1.250', 'same_subnet'), 'DHCP gives out');
		assert.equal(judge('192.168.1.250-192.168.1.254', 'same_subnet'), '');
		assert.equal(judge('192.168.1.90-192.168.1.100', 'same_subnet', { ignore: '1' }), '');
		assert.equal(judge('192.168.1.90-192.168.1.100', 'same_subnet', { start: '110', limit: '10' }), '');
		assert.equal(judge('192.168.1.250-192.168.2.9', 'same_subnet'), 'The range reaches');
		assert.equal(judge('192.168.77.10-192.168.77.99', 'same_subnet'), 'The range is');
		assert.equal(judge('198.51.100.7-198.51.100.9', 'same_subnet'), 'The range overlaps');
	},
	'rights in short: only what is taken away, in the words of a file and of the server'() {
		const short = (given) => rights.short(given).map((one) => one.text).join(', ');

		assert.equal(short({}), '');
		assert.equal(short({ lan: '1', internet: 'on', relay: 'true', rate_up: '0', idle_timeout: '5' }), '');
		assert.equal(short({ lan: '0', internet: 'off', callers: 'no', relay: '0' }), 'no LAN, no Internet, no callers, no games');
		assert.equal(short({ lan: false, internet: true, rate_up: 1500, rate_down: 20000, routes: [ '10.9.0.0/16' ] }), 'no LAN, ↑1500k ↓20M, 10.9.0.0/16');
		assert.equal(short({ hours: 'mon 08:00-09:00', route: '10.9.0.0/16 10.8.0.0/16' }), 'hours, 10.9.0.0/16, 10.8.0.0/16');
	},
	'self-check: hand-made firewall rules count'() {
		const own = (rule) => states({ rules: [], firewall: firewall({ '.type': 'rule', target: 'ACCEPT', src: 'wan', ...rule }) }).slice(2, 4);

		assert.equal(own({ proto: 'tcp', dest_port: '1000-2000' }), 'gb');
		assert.equal(own({ dest_port: '1723' }), 'gb');
		assert.equal(own({ proto: '47' }), 'bg');
		assert.equal(own({ proto: 'all' }), 'gg');
		assert.equal(own({ proto: 'all', enabled: '0' }), 'bb');
		assert.equal(own({ proto: 'all', dest: 'lan' }), 'bb');
		assert.equal(own({ proto: 'all', src: 'guest' }), 'bb');
	},
	'self-check: nothing readable is unknown, never well'() {
		const row = checks.rows({ status: null, server: null, interfaces: [] });

		assert(!row.some((found) => found.state == 'good'));
	},
	'logins of pptpd: the example, doubles and impossible names are left out'() {
		const login = (index, username, secret) => ({ '.type': 'login', '.index': index, username, password: secret });
		const found = importer.candidates({
			a: login(0, 'youruser', 'yourpass'), b: login(1, 'carol', 'x'), c: login(2, 'carol', 'y'), d: login(3, 'A\\b', 'x'),
			e: login(4, 'alice', 'x'), f: login(5, 'dave', '')
		}, [ { username: 'alice' } ]);

		assert.deepEqual(found.filter((one) => !one.obstacle).map((one) => one.username), [ 'carol' ]);
	},
	'a cause that is not known shows the server\'s own words'() {
		assert.equal(words.cause({ cause: 'new_one', text: 'something new' }).what, 'something new');
	}
};

function lists() {
	return {
		server: options.server.map((row) => ({ name: row.name, default: row.default, min: row.min, max: row.max, words: Object.keys(row.words || {}) })),
		user: rights.rows.map((row) => ({ name: row.name, default: row.default, min: row.min, max: row.max })),
		causes: words.names
	};
}

function main() {
	if (process.argv[2] == '--lists')
		return console.log(JSON.stringify(lists()));

	Object.entries(UNITS).forEach(([ name, check ]) => {
		try {
			check();
			console.log('ok ' + name);
		} catch (error) {
			console.log('FAIL %s: %s', name, error.message.split('\n').slice(0, 6).join(' '));
		}
	});
}

main();
