// The server's settings, and on top whether it runs.
'use strict';
'require view';
'require form';
'require uci';
'require ui';
'require dom';
'require poll';
'require pptp-server.address as address';
'require pptp-server.guard as guard';
'require pptp-server.lan as lan';
'require pptp-server.options as options';
'require pptp-server.router as router';
'require pptp-server.words as words';

const CONFIG = 'pptp-server';
const KINDS = { flag: form.Flag, number: form.Value, choice: form.ListValue, text: form.Value, list: form.DynamicList };

function honest() {
	return E('div', {}, [
		E('p', {}, [ _('Lets devices that know no other VPN than PPTP into this network: an old Windows, a camera, a set-top box, a phone from before Android 12.') ]),
		E('p', {}, [
			E('strong', {}, [ _('What it protects:') ]), ' ',
			_('strangers cannot log in, and a neighbour who happens to see the traffic cannot read it.'), ' ',
			E('strong', {}, [ _('What it does not protect:') ]), ' ',
			_('whoever records the traffic on purpose can break PPTP within a day, however good the password is, and read everything. For anything that must stay secret use WireGuard, which is safe and faster.'), ' ',
			E('a', { href: 'https://openwrt.org/docs/guide-user/services/vpn/wireguard/start', target: '_blank', rel: 'noreferrer' },
				[ _('How to set up WireGuard') ])
		])
	]);
}

// The section of the server: the one that it reads first.
function sectionId() {
	const found = uci.sections(CONFIG, 'server')[0];

	return found ? found['.name'] : uci.add(CONFIG, 'server', 'main');
}

// Keeps what the file says in words of its own (`on`, a list written as one option), and what it
// leaves to the default, unless the value itself changes.
function keepForm(option, row) {
	option.load = (id) => loaded(row, uci.get(CONFIG, id, row.name));

	if (row.kind == 'flag' || row.kind == 'choice')
		option.parse = function(id) {
			const value = this.formvalue(id);

			if (value != (this.cfgvalue(id) || row.default))
				this.write(id, value);

			return Promise.resolve();
		};
}

// What a field shows for what the file says.
function loaded(row, given) {
	if (row.kind == 'list')
		return L.toArray(given).length ? L.toArray(given) : null;

	if (row.kind == 'flag' && given != null)
		return options.isTrue(given) ? '1' : '0';

	return given == null ? null : given;
}

function limits(row) {
	return _('A number from %d to %d.').format(row.min, row.max);
}

function check(row, value) {
	if (value === '' || value == null)
		return true;

	if (row.kind == 'number')
		return (/^\d{1,5}$/.test(value) && +value >= row.min && +value <= row.max) || limits(row);

	return row.check ? row.check(value) : true;
}

return view.extend({
	load() {
		return Promise.all([
			router.reloadConfig().then(() => true, () => false),
			router.status(), router.interfaces(), router.config('firewall'), router.mayStart(), router.config('dhcp')
		]).then((facts) => guard.remember().then(() => facts));
	},

	render([ readable, status, interfaces, firewall, mayStart, dhcp ]) {
		if (!readable)
			return E('p', {}, [ _('The file /etc/config/pptp-server is missing or cannot be read.') ]);

		this.facts = { status, interfaces, dhcp };
		this.networks = address.networks(interfaces);
		this.zones = router.sections(firewall, 'zone').map((zone) => zone.name);
		this.mayStart = mayStart;
		this.stateNode = E('div', { id: 'pptp-state' });
		this.showState(status);
		poll.add(() => router.status().then((now) => this.showState(now)));

		return this.form().render().then((node) => E([], [ this.stateNode, node ]));
	},

	form() {
		const map = new form.Map(CONFIG, _('PPTP Server'), honest());
		const section = map.section(form.NamedSection, sectionId(), 'server');

		options.tabs.forEach(([ name, title ]) => section.tab(name, title));
		options.server.forEach((row) => this.option(section, row));
		this.map = map;

		return map;
	},

	option(section, row) {
		const option = section.taboption(row.tab, KINDS[row.kind], row.name, row.title, this.help(row));

		option.placeholder = row.default == 'local_ip' ? _('this router') : row.default;
		option.validate = (id, value) => this.validate(row, id, value);
		this.choices(row).forEach(([ value, label ]) => option.value(value, label));

		if (row.kind == 'flag' || row.kind == 'choice')
			option.default = row.default;

		if (row.kind == 'choice')
			option.rmempty = false;

		if (row.name == 'pool')
			this.explainPool(option);

		if (row.name == 'lan_mode')
			option.onchange = (ev, id) => this.showPool(id);

		keepForm(option, row);
	},

	help(row) {
		const parts = [ row.help ];

		if (row.kind == 'number')
			parts.push(limits(row));

		if (row.kind != 'flag' && row.kind != 'choice' && row.default && row.default != 'local_ip')
			parts.push(_('Default: %s.').format(row.default));

		return parts.join(' ');
	},

	choices(row) {
		if (row.kind == 'choice')
			return Object.entries(row.words);

		return (row.name == 'src' || row.name == 'zone') ? this.zones.map((name) => [ name, name ]) : [];
	},

	validate(row, id, value) {
		const alone = check(row, value);

		if (alone !== true || (row.name != 'pool' && row.name != 'local_ip'))
			return alone;

		return this.validateTogether(id, row.name, value);
	},

	// The server's own address must stand outside of the range, and the range must not take an
	// address that the router has.
	validateTogether(id, name, value) {
		const now = (other) => (name == other ? value : this.shown(id, other)) ||
			options.value(null, other);
		const range = address.parseRange(now('pool'));
		const own = address.parse(now('local_ip'));

		if (range && own != null && address.contains(range, own))
			return _('The address of the server is one of the addresses for callers.');

		const taken = name == 'pool' && this.networks.find((net) => range && net.device != options.value(uci.get(CONFIG, id), 'device') &&
			address.contains(range, address.parse(net.address)));

		if (taken)
			return _('%s is this router\'s own address in the network "%s".').format(taken.address, taken.name);

		const twice = name == 'pool' ? lan.givenTwice(range, this.factsNow(id)) : null;

		return twice ? twice.what + ' ' + twice.advice : true;
	},

	// What is known of the LAN, with what the fields show now.
	factsNow(id) {
		const shown = [ 'lan_mode', 'lan', 'lan_device', 'device' ].map((name) => [ name, this.shown(id, name) || '' ]);

		return { ...this.facts, server: Object.fromEntries(shown) };
	},

	// What a field shows now, also while the page is being built.
	shown(id, name) {
		const found = this.map.root ? this.map.lookupOption(name, id) : null;

		return found ? found[0].formvalue(id) : uci.get(CONFIG, id, name);
	},

	// Under the field of the range: the router's networks, and what is wrong with an overlap.
	explainPool(option) {
		const render = option.renderWidget;
		const node = E('div', { class: 'pptp-pool' });
		const show = (id, value) => dom.content(node, this.poolNotes(id, value || options.value(null, 'pool')));

		option.renderWidget = function(id, index, value) {
			show(id, value);

			return E('div', {}, [ render.call(this, id, index, value), node ]);
		};
		option.onchange = (ev, id, value) => show(id, value);
		this.showPool = (id) => show(id, this.shown(id, 'pool'));
	},

	poolNotes(id, value) {
		const facts = this.factsNow(id);
		const names = lan.others(facts).map((net) => this.networkText(net, lan.find(facts))).join(', ');
		const wrong = lan.judge(address.parseRange(value), facts);
		const notes = [ E('div', {}, [ _('Networks of this router: %s').format(names || '–') ]) ];

		if (wrong)
			notes.push(E('div', { class: 'alert-message warning' }, [ wrong.what, ' ', wrong.advice ]));

		return notes;
	},

	// With what DHCP gives out in the LAN.
	networkText(net, home) {
		const text = '%s %s/%d'.format(net.name, net.address, net.bits);
		const given = home && home.name == net.name ? lan.dhcpRange(this.facts.dhcp, net) : null;

		return given ? text + ' (DHCP %s-%s)'.format(address.text(given.first), address.text(given.last)) : text;
	},

	showState(status) {
		this.facts.status = status;

		const children = status ? this.runningText(status) : this.stoppedText();

		this.stateNode.className = 'alert-message ' + (status ? 'success' : 'warning');
		dom.content(this.stateNode, children);
	},

	runningText(status) {
		const open = L.toArray(status.sessions).filter((session) => session.state == 'open').length;

		return [ E('strong', {}, [ _('The server runs') ]), ' ',
			_('for %s, on %s. Callers connected: %d.').format(
				words.duration(status.uptime), L.toArray(status.listening).join(', '), open) ];
	},

	stoppedText() {
		const button = this.mayStart ? E('button', {
			class: 'btn cbi-button cbi-button-apply', click: ui.createHandlerFn(this, 'handleStart')
		}, [ _('Start') ]) : '';

		return [ E('strong', {}, [ _('The server does not run.') ]), ' ', _('Nobody can call.'), ' ', button ];
	},

	// A server that is switched off is enabled first; applying that starts it.
	handleStart() {
		const id = sectionId();

		if (options.isTrue(options.value(uci.get(CONFIG, id), 'enabled')))
			return router.start().then(() => router.status()).then((status) => this.showState(status))
				.catch((error) => ui.addNotification(null, E('p', {}, [ error.message ]), 'error'));

		uci.set(CONFIG, id, 'enabled', '1');

		return guard.run(() => uci.save()).then(() => ui.changes.apply(true));
	},

	handleSave(ev) {
		return guard.run(() => this.super('handleSave', [ ev ]));
	}
});
