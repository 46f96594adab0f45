// Accounts of OpenWrt's other PPTP server, pptpd, from its own configuration file.
'use strict';
'require baseclass';
'require ui';
'require pptp-server.address as address';
'require pptp-server.router as router';

// What keeps a login from being taken over; null when nothing does.
function obstacle(login, accounts) {
	if (!login.username || !login.password)
		return _('without name or password');

	if (login.username == 'youruser' && login.password == 'yourpass')
		return _('the example that pptpd came with');

	if (/[\\]/.test(login.username) || new TextEncoder().encode(login.username).length > 128)
		return _('the name is not possible here');

	return accounts.some((account) => account.username === login.username) ? _('exists already') : null;
}

function row(candidate) {
	const box = E('input', { type: 'checkbox', checked: candidate.obstacle ? null : '', disabled: candidate.obstacle ? '' : null });

	candidate.isChosen = () => box.checked && !candidate.obstacle;

	return E('tr', { class: 'tr' }, [
		E('td', { class: 'td' }, [ box ]),
		E('td', { class: 'td' }, [ candidate.username || '–' ]),
		E('td', { class: 'td' }, [ candidate.ip || _('any') ]),
		E('td', { class: 'td' }, [ candidate.obstacle || '' ])
	]);
}

return baseclass.extend({
	// The logins of pptpd; a name that stands twice is taken once.
	candidates(config, accounts) {
		const seen = [];

		return router.sections(config, 'login').map((login) => {
			const found = {
				username: login.username, password: login.password,
				ip: address.parse(login.remoteip) != null ? login.remoteip : null,
				obstacle: obstacle(login, accounts.concat(seen))
			};

			seen.push(login);

			return found;
		});
	},

	// Asks which of them; `take` gets those that were chosen.
	show(candidates, take) {
		ui.showModal(_('Import accounts'), [
			E('p', {}, [ _('Passwords are taken over as hashes. The file of pptpd stays as it is.') ]),
			E('table', { class: 'table' }, candidates.map(row)),
			E('div', { class: 'right' }, [
				E('button', { class: 'btn cbi-button', click: ui.hideModal }, [ _('Cancel') ]), ' ',
				E('button', { class: 'btn cbi-button cbi-button-positive', click: () => {
					ui.hideModal();
					take(candidates.filter((candidate) => candidate.isChosen()));
				} }, [ _('Import') ])
			])
		]);
	}
});
