// What an account may do: the options of its section beside name, password and address, each with
// what it takes, its default, its name and help for people. A test compares the list with the
// server's own.
'use strict';
'require baseclass';
'require pptp-server.address as address';
'require pptp-server.badge as badge';
'require pptp-server.options as options';

const RATE_MAX = 10000000;

// The range of addresses of 192.168.5.0/24; null when the text is no network of machines.
function parseNetwork(text) {
	const [ , first, bits ] = /^([\d.]+)\/([1-9]\d?)$/.exec(text) || [];
	const start = bits <= 32 ? address.parse(first) : null;
	const range = start == null ? null : address.network(first, +bits);

	return (range && range.first == start && address.isHost(range.first) && address.isHost(range.last)) ? range : null;
}

function checkNetwork(text) {
	return parseNetwork(text) != null || _('Enter a network by its first address, such as 192.168.5.0/24.');
}

function isDay(name) {
	return [ 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun' ].includes(name.toLowerCase());
}

function minute(text) {
	const [ , hour, rest ] = /^(\d\d):([0-5]\d)$/.exec(text) || [];

	return (hour < 24 || (hour == 24 && rest == 0)) ? hour * 60 + Number(rest) : null;
}

// Days, which may be missing, and a time that may end on the next day.
function checkHours(text) {
	const [ , days, from, until ] = /^(?:(\S+) +)?(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text.trim()) || [];
	const named = (days || 'mon-sun').split(',').every((part) => part.split('-').length <= 2 && part.split('-').every(isDay));
	const known = from && minute(from) != null && minute(until) != null && minute(from) != minute(until) && minute(from) < 1440;

	return (named && known) || _('Enter days and times such as mon-fri 08:00-22:00.');
}

// `without` is what the lists say of an account that has it not.
function flag(name, title, without, help) {
	return { tab: 'rights', name, kind: 'flag', default: '1', title, without, help };
}

function number(name, max, title, help) {
	const check = (value) => (/^\d{1,8}$/.test(value) && +value <= max) || _('A number from %d to %d.').format(0, max);

	return { tab: 'limits', name, kind: 'number', default: '0', min: 0, max, check, title, help };
}

function list(tab, name, check, title, help) {
	return { tab, name, kind: 'list', default: '', check, title, help };
}

const ROWS = [
	flag('lan', _('Reaches the LAN'), _('no LAN'),
		_('The router itself, the computers at home and all other private networks; and these reach the caller. Without it the router still answers DNS, DHCP and pings.')),
	flag('internet', _('Reaches the Internet'), _('no Internet'), _('Through this router.')),
	flag('callers', _('Reaches other callers'), _('no callers'), _('And the networks behind them. Both accounts need it.')),
	flag('relay', _('LAN games'), _('no games'),
		_('Broadcasts pass from and to the caller, as far as it reaches the LAN and other callers.')),
	list('networks', 'route', checkNetwork, _('Networks behind the caller'),
		_('For a router that dials in and brings its own network, such as 192.168.5.0/24. Up to 4.')),
	number('rate_up', RATE_MAX, _('Rate from the caller'), _('Kilobits per second. 0: as fast as it goes.')),
	number('rate_down', RATE_MAX, _('Rate to the caller'), _('Kilobits per second. 0: as fast as it goes.')),
	number('idle_timeout', 65535, _('Idle timeout'),
		_('Minutes without packets inside the tunnel after which the connection ends. 0: never.')),
	number('session_timeout', 65535, _('Session timeout'), _('Minutes after which the connection ends. 0: never.')),
	list('limits', 'hours', checkHours, _('Hours'),
		_('When the account may be online by the clock of this router, such as mon-fri 08:00-22:00, sat,sun 20:00-02:00 or 06:00-24:00. Empty: always.'))
];

// 512 as `512k`, 20000 as `20M`; nothing for no limit.
function rate(kilobits) {
	const given = Number(kilobits) || 0;

	if (!given)
		return '∞';

	return given % 1000 ? given + 'k' : (given / 1000) + 'M';
}

// Whether a switch is off, in a file's words or the server's.
function isOff(value) {
	return value === false || (value != null && value !== '' && value !== true && !options.isTrue(value));
}

return baseclass.extend({
	rows: ROWS,

	// The tabs of an account's window in order.
	tabs: [
		[ 'basic', _('Basics') ], [ 'rights', _('Rights') ], [ 'limits', _('Limits') ], [ 'networks', _('Networks') ]
	],

	// What an account, or a session, may not do and how it is bound: [ { kind, text, title } ]. Empty
	// when it may do everything.
	short(given) {
		const notes = ROWS.filter((row) => row.without && isOff(given[row.name]))
			.map((row) => ({ kind: 'note', text: row.without }));
		const add = (text, title) => notes.push({ kind: 'unknown', text, title });

		if (Number(given.rate_up) || Number(given.rate_down))
			add('↑%s ↓%s'.format(rate(given.rate_up), rate(given.rate_down)), _('bit/s from the caller and to it'));

		if (this.items({ name: 'hours' }, given.hours))
			add(_('hours'), this.items({ name: 'hours' }, given.hours).join(', '));

		L.toArray(given.routes || given.route).forEach((network) => add(network, _('Networks behind the caller')));

		return notes;
	},

	parseNetwork,

	// The items of a list. An item of hours has blanks in it, also where it is not written as a list.
	items(row, given) {
		const found = (row.name == 'hours' && given && !Array.isArray(given)) ? [ given ] : L.toArray(given);

		return found.length ? found : null;
	},

	badges(given, otherwise) {
		const notes = this.short(given).flatMap((one) => [ badge.make(one.kind, one.text, one.title), ' ' ]);

		return notes.length ? notes : [ otherwise ];
	},

	// Whether a network of the account `id` clashes with the server's section or other accounts.
	clash(text, id, server, accounts) {
		const range = parseNetwork(text);
		const pool = address.parseRange(server.pool);
		const overlaps = (other) => address.overlap(range, other);

		if (address.contains(range, address.parse(server.local_ip)))
			return _('The address of the server itself is in it.');

		if (pool && overlaps(pool))
			return _('It overlaps the addresses for callers.');

		const other = accounts.find((account) => account['.name'] != id &&
			L.toArray(account.route).map(parseNetwork).some((network) => network && overlaps(network)));

		return other ? _('It overlaps a network of the account "%s".').format(other.username) : true;
	}
});
