// The overview page's part: who is connected by PPTP.
'use strict';
'require baseclass';
'require pptp-server.router as router';
'require pptp-server.words as words';

function row(cells, kind) {
	return E('tr', { class: 'tr' + (kind == 'th' ? ' table-titles' : '') }, cells.map((cell) => E(kind, { class: kind }, [ cell ])));
}

return baseclass.extend({
	title: _('PPTP callers'),

	load() {
		return router.status();
	},

	// Nothing while the server does not run or may not be asked.
	render(status) {
		if (!status)
			return null;

		const open = L.toArray(status.sessions).filter((session) => session.state == 'open');

		if (!open.length)
			return E('p', {}, [ E('em', {}, [ _('Nobody is connected.') ]) ]);

		return E('table', { class: 'table' }, [
			row([ _('Name'), _('Address'), _('Calls from'), _('Connected') ], 'th'),
			...open.map((session) => row([ session.name, session.address, session.peer, words.duration(session.seconds) ], 'td'))
		]);
	}
});
