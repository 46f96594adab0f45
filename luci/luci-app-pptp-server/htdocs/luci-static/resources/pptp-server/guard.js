// Two browsers at once: before anything is written, the file is compared with what this page read.
// What somebody else saved meanwhile is never overwritten without being told.
'use strict';
'require baseclass';
'require ui';
'require pptp-server.router as router';

let seen = null;
let last = Promise.resolve();

// The same text for the same content, in whatever order the fields come.
function fingerprint(value) {
	if (Array.isArray(value))
		return '[' + value.map(fingerprint).join() + ']';

	if (!L.isObject(value))
		return JSON.stringify(value);

	return '{' + Object.keys(value).sort().map((key) => JSON.stringify(key) + ':' + fingerprint(value[key])).join() + '}';
}

function read() {
	return router.config('pptp-server').then(fingerprint);
}

function ask(proceed) {
	ui.showModal(_('Changed meanwhile'), [
		E('p', {}, [ _('Somebody else, or you in another window, saved these settings after this page read them.') ]),
		E('div', { class: 'right' }, [
			E('button', { class: 'btn cbi-button', click: () => window.location.reload() },
				[ _('Show what is there now') ]), ' ',
			E('button', { class: 'btn cbi-button cbi-button-negative', click: proceed },
				[ _('Save mine nevertheless') ])
		])
	]);
}

return baseclass.extend({
	// Notes what the file contains now.
	remember() {
		return read().then((now) => { seen = now; });
	},

	// Runs `save` if nothing changed meanwhile; else asks first. One after the other, so that a
	// second press of a button does not take the first one's changes for somebody else's.
	run(save) {
		last = last.catch(() => null).then(() => this.attempt(save));

		return last;
	},

	attempt(save) {
		return read().then((now) => {
			if (seen == null || now == seen)
				return Promise.resolve(save()).then((result) => this.remember().then(() => result));

			return new Promise((resolve, reject) => ask(() => {
				seen = now;
				ui.hideModal();
				this.attempt(save).then(resolve, reject);
			}));
		});
	}
});
