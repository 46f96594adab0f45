// Who is connected now: from where, how fast, and a button to disconnect.
'use strict';
'require view';
'require ui';
'require dom';
'require poll';
'require pptp-server.badge as badge';
'require pptp-server.graph as graph';
'require pptp-server.rights as rights';
'require pptp-server.router as router';
'require pptp-server.words as words';

const SECONDS = 3;
const STATES = { connecting: _('connecting'), open: _('open'), closing: _('closing') };

return view.extend({
	load() {
		return Promise.all([ router.status(), router.mayCall('disconnect') ]);
	},

	render([ status, mayDisconnect ]) {
		this.mayDisconnect = mayDisconnect;
		this.before = {};
		this.graph = graph;
		this.stateNode = E('p', { id: 'pptp-state' });
		this.table = new ui.Table([
			_('Name'), _('Address'), _('Calls from'), _('Connected'), _('From caller'), _('To caller'),
			_('Encryption'), ...(mayDisconnect ? [ _('Action') ] : [])
		], { id: 'pptp-sessions', classes: 'cbi-section-table', sortable: false }, E('em', {}, [ _('Nobody is connected.') ]));
		this.show(status);
		poll.add(() => this.refresh(), SECONDS);

		return E('div', {}, [
			E('h2', {}, [ _('Connections') ]), this.stateNode,
			E('div', { class: 'cbi-section' }, [ this.table.render() ]),
			this.graph.render()
		]);
	},

	refresh() {
		return router.status().then((status) => this.show(status));
	},

	show(status) {
		const sessions = L.toArray((status || {}).sessions);
		const now = Date.now() / 1000;

		this.rates = sessions.map((session) => this.rate(session, now));
		this.before = Object.fromEntries(sessions.map((session) => [ session.id, { session, now } ]));
		dom.content(this.stateNode, this.summary(status));
		this.table.update(sessions.map((session, at) => this.row(session, this.rates[at])),
			E('em', {}, [ _('Nobody is connected.') ]));
		this.graph.push(this.total('rx'), this.total('tx'));
	},

	total(name) {
		return this.rates.reduce((sum, rate) => sum + rate[name], 0);
	},

	// Bytes per second since the last look; a session that was not there yet, or only just, has none.
	rate(session, now) {
		const last = this.before[session.id];

		if (!last || last.session.since != session.since || now < last.now + 0.5)
			return { rx: 0, tx: 0 };

		const between = (name) => Math.max(0, (session[name] - last.session[name]) / (now - last.now));

		return { rx: between('rx_bytes'), tx: between('tx_bytes') };
	},

	summary(status) {
		if (!status)
			return [ badge.make('note', _('The server does not run.')) ];

		return [ _('Connected: %d of at most %d. Addresses: %s. Running for %s.').format(
			L.toArray(status.sessions).length, status.max_sessions, status.pool, words.duration(status.uptime)) ];
	},

	row(session, rate) {
		const cells = [
			[ session.name, this.who(session) ],
			[ session.address, this.addresses(session) ],
			[ session.peer, E('span', {}, [ session.peer ]) ],
			[ session.seconds, this.since(session) ],
			[ session.rx_bytes, this.received(session, rate.rx) ],
			[ session.tx_bytes, this.traffic(session.tx_bytes, session.tx_packets, rate.tx) ],
			[ session.mppe, this.encryption(session) ]
		];

		return this.mayDisconnect ? cells.concat([ this.button(session) ]) : cells;
	},

	// The account, and what it may not do.
	who(session) {
		return E('div', {}, [
			E('strong', { style: 'overflow-wrap:anywhere' }, [ session.name || _('(not logged in yet)') ]), ' ',
			...rights.badges(session, '')
		]);
	},

	addresses(session) {
		const six = session.ipv6 ? [ E('br'), E('small', { style: 'overflow-wrap:anywhere' }, [ session.ipv6 ]) ] : [];

		return E('span', {}, [ session.address || '–', ...six ]);
	},

	since(session) {
		const state = session.state == 'open' ? '' : ' (' + (STATES[session.state] || session.state) + ')';

		return E('span', { title: words.time(session.since) }, [ words.duration(session.seconds) + state ]);
	},

	traffic(bytes, packets, rate) {
		return E('span', { title: _('%d packets').format(packets) }, [ words.rate(rate), E('br'), words.bytes(bytes) ]);
	},

	// What the line does to packets shows in this direction only: the caller counts the other one.
	received(session, rate) {
		const cell = this.traffic(session.rx_bytes, session.rx_packets, rate);

		if (session.rx_lost || session.rx_reordered)
			cell.append(E('br'), E('small', {}, [ _('%d lost, %d out of order').format(session.rx_lost, session.rx_reordered) ]));

		return cell;
	},

	encryption(session) {
		if (!session.mppe)
			return session.state == 'open' ? badge.make('bad', _('none')) : E('span', {}, [ '–' ]);

		return E('span', { title: _('largest packet: %d octets').format(session.mtu) }, [ 'MPPE ' + session.mppe ]);
	},

	button(session) {
		return E('button', {
			class: 'btn cbi-button cbi-button-remove', click: () => this.confirm(session)
		}, [ _('Disconnect') ]);
	},

	confirm(session) {
		ui.showModal(_('Disconnect'), [
			E('p', {}, [ _('Disconnect "%s" (%s, calling from %s)?').format(session.name, session.address || '–', session.peer) ]),
			E('p', {}, [ _('The caller may dial in again at once. To keep it out, disable the account or change its password.') ]),
			E('div', { class: 'right' }, [
				E('button', { class: 'btn cbi-button', click: ui.hideModal }, [ _('Cancel') ]), ' ',
				E('button', {
					class: 'btn cbi-button cbi-button-negative', click: ui.createHandlerFn(this, 'handleDisconnect', session)
				}, [ _('Disconnect') ])
			])
		]);
	},

	handleDisconnect(session) {
		return router.disconnect(session.id).catch((error) =>
			ui.addNotification(null, E('p', {}, [ _('Could not disconnect: %s').format(error.message) ]), 'error')
		).then(() => {
			ui.hideModal();

			return this.refresh();
		});
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
