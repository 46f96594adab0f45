// Why did it fail: the latest failed calls in plain words, and a self-check of the router.
'use strict';
'require view';
'require ui';
'require dom';
'require poll';
'require pptp-server.badge as badge';
'require pptp-server.checks as checks';
'require pptp-server.router as router';
'require pptp-server.words as words';

const SECONDS = 5;
// What is to be done may just have been done: the self-check looks again after so many polls.
const POLLS_PER_CHECK = 3;
const MARKS = {
	good: [ '✔', _('in order') ], bad: [ '✘', _('to do') ], note: [ '!', _('note') ], unknown: [ '?', _('unknown') ]
};
// Rows that look alike on a phone and on a desktop.
const ROW = 'display:flex;gap:1em;padding:.6em .2em;border-bottom:1px solid rgba(128,128,128,.3)';

// How many failed logins in a row stand in the list for the same caller and name, this one last.
function inARow(failure, older) {
	const same = older.filter((other) => other.peer == failure.peer && other.name === failure.name);
	const end = same.findIndex((other) => !words.cause(other).blocks);

	return (end < 0 ? same.length : end) + 1;
}

return view.extend({
	load() {
		return Promise.all([ router.failures(), router.mayCall('unblock'), router.status(), checks.collect(), router.mayStart() ]);
	},

	render([ failures, mayUnblock, status, facts, mayStart ]) {
		this.mayUnblock = mayUnblock;
		this.mayStart = mayStart;
		this.all = false;
		this.polls = 0;
		this.checkNode = E('div', { id: 'pptp-checks' });
		this.counterNode = E('div', { id: 'pptp-counters' });
		this.failureNode = E('div', { id: 'pptp-failures' });
		this.show(failures);
		this.showChecks(facts);
		this.showCounters(status);
		poll.add(() => this.refresh(), SECONDS);

		return E('div', {}, [
			E('h2', {}, [ _('Problems') ]), this.failureSection(), this.checkSection(), this.counterSection()
		]);
	},

	failureSection() {
		const box = E('input', { type: 'checkbox', id: 'pptp-all', change: (ev) => {
			this.all = ev.target.checked;
			this.show(this.failures);
		} });

		return E('div', { class: 'cbi-section' }, [
			E('h3', {}, [ _('Failed calls') ]),
			E('div', { class: 'cbi-section-descr' }, [ _('The server remembers the latest calls that failed or ended.'), ' ',
				E('label', {}, [ box, ' ', _('Show also those that ended normally') ]) ]),
			this.failureNode
		]);
	},

	checkSection() {
		return E('div', { class: 'cbi-section' }, [
			E('h3', {}, [ _('Self-check') ]),
			E('div', { class: 'cbi-section-descr' }, [ _('What on this router may keep callers out.'), ' ',
				E('button', { class: 'btn cbi-button', click: ui.createHandlerFn(this, 'handleCheck') }, [ _('Check again') ]) ]),
			this.checkNode
		]);
	},

	counterSection() {
		return E('details', { class: 'cbi-section' }, [
			E('summary', { style: 'cursor:pointer' }, [ _('Counters for experts') ]), this.counterNode
		]);
	},

	refresh() {
		return Promise.all([ router.failures(), router.status() ]).then(([ failures, status ]) => {
			this.show(failures);
			this.showCounters(status);

			return this.isAllGood || ++this.polls % POLLS_PER_CHECK ? null : this.handleCheck();
		});
	},

	show(failures) {
		const list = failures || [];
		const shown = list.filter((failure) => this.all || !words.cause(failure).normal);
		const empty = failures ? _('No call failed.') : _('The server does not run.');

		this.failures = failures;
		dom.content(this.failureNode, shown.length
			? shown.map((failure) => this.row(failure, list.slice(list.indexOf(failure) + 1)))
			: [ E('em', {}, [ empty ]) ]);
	},

	row(failure, older) {
		const name = failure.name ? _('account "%s"').format(failure.name) : _('not logged in');
		const facts = [ words.ago(failure.seconds), failure.peer || '–', name ].join(' · ');

		return E('div', { class: 'pptp-row', style: ROW }, [
			E('div', { style: 'flex:1;min-width:0;overflow-wrap:anywhere' }, [
				E('small', { title: words.time(failure.when) }, [ facts ]), this.explain(failure, older)
			]),
			this.mayUnblock ? this.action(failure) : ''
		]);
	},

	explain(failure, older) {
		const cause = words.cause(failure);
		const count = cause.blocks ? inARow(failure, older) : 1;

		return E('div', {}, [
			E('strong', {}, [ cause.what ]),
			count > 1 ? ' ' + _('%d failed logins in a row.').format(count) : '',
			cause.remedy ? E('div', {}, [ cause.remedy ]) : ''
		]);
	},

	action(failure) {
		if (!words.cause(failure).blocks)
			return '';

		return E('button', {
			class: 'btn cbi-button', style: 'align-self:center', click: ui.createHandlerFn(this, 'handleUnblock', failure)
		}, [ _('Unblock') ]);
	},

	handleUnblock(failure) {
		return router.unblock(failure.peer, failure.name).then(() => {
			ui.addNotification(null, E('p', {}, [ _('%s and the account "%s" may log in again at once.').format(failure.peer, failure.name) ]), 'info');
		}, (error) => {
			// The server answers so when neither has to wait.
			const nobody = /ubus code 4\b/.test(error.message);

			ui.addNotification(null, E('p', {}, [ nobody ? _('Neither the address nor the account has to wait.')
				: _('Could not unblock: %s').format(error.message) ]), nobody ? 'info' : 'error');
		});
	},

	handleCheck() {
		return checks.collect().then((facts) => this.showChecks(facts));
	},

	handleStart() {
		return router.start().then(() => this.handleCheck()).catch((error) =>
			ui.addNotification(null, E('p', {}, [ error.message ]), 'error'));
	},

	showChecks(facts) {
		const start = !facts.status && this.mayStart ? E('button', {
			class: 'btn cbi-button cbi-button-apply', click: ui.createHandlerFn(this, 'handleStart')
		}, [ _('Start') ]) : '';

		const rows = checks.rows(facts);

		this.isAllGood = rows.every((row) => row.state != 'bad');
		dom.content(this.checkNode, [ ...rows.map((row) => this.checkRow(row)), start ]);
	},

	checkRow(row) {
		const [ mark, meaning ] = MARKS[row.state];

		return E('div', { class: 'pptp-row', style: ROW, 'data-check': row.state }, [
			E('div', {}, [ badge.make(row.state, mark, meaning) ]),
			E('div', { style: 'flex:1;min-width:0' }, [
				E('strong', {}, [ row.title ]), E('div', {}, [ row.text ]),
				row.remedy ? E('div', {}, [ E('em', {}, [ row.remedy ]) ]) : ''
			])
		]);
	},

	showCounters(status) {
		const { discards, causes } = status || {};
		const rows = [ ...Object.entries(causes || {}), ...Object.entries(discards || {}) ].filter(([ , count ]) => count > 0);

		dom.content(this.counterNode, rows.length
			? [ E('table', { class: 'table' }, rows.map(([ name, count ]) => E('tr', { class: 'tr' }, [
				E('td', { class: 'td' }, [ E('code', {}, [ name ]) ]), E('td', { class: 'td' }, [ String(count) ])
			]))) ] : [ E('em', {}, [ _('Nothing counted yet.') ]) ]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
