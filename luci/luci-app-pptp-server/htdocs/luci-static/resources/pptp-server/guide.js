// How to dial in: what to type on each kind of caller, with the router's own address.
'use strict';
'require baseclass';
'require ui';
'require pptp-server.address as address';
'require pptp-server.clipboard as clipboard';
'require pptp-server.options as options';
'require pptp-server.router as router';

// A word in single quotes for a shell.
function shellWord(text) {
	return "'" + text.replace(/'/g, "'\\''") + "'";
}

// A word in double quotes for a file of pppd, such as chap-secrets.
function secretsWord(text) {
	return '"' + text.replace(/(["\\])/g, '\\$1') + '"';
}

// A word in double quotes for RouterOS, where $ and ? mean something.
function routerOsWord(text) {
	return '"' + text.replace(/(["\\$?])/g, '\\$1') + '"';
}

function windows(to) {
	return {
		title: _('Windows 10 and 11'),
		steps: [
			_('Settings, Network & Internet, VPN, Add VPN.'),
			_('VPN provider: Windows (built-in). VPN type: Point to Point Tunneling Protocol (PPTP). Then these three lines:')
		],
		lines: [
			_('Server name or address') + ': ' + to.host,
			_('User name') + ': ' + to.name,
			_('Password') + ': ' + to.password
		],
		after: [
			_('To use the tunnel only for the network at home: Control Panel, Network Connections, the properties of the VPN, Networking, Internet Protocol Version 4, Advanced, and untick "Use default gateway on remote network".')
		]
	};
}

function mikrotik(to) {
	return {
		title: 'MikroTik',
		steps: [ _('In a terminal of RouterOS:') ],
		lines: [
			'/interface pptp-client add name=home connect-to=' + to.host + ' user=' + routerOsWord(to.name) +
				' password=' + routerOsWord(to.password) + ' allow=mschap2 profile=default-encryption disabled=no'
		],
		after: []
	};
}

function linux(to) {
	return {
		title: 'Linux',
		steps: [
			_('Install the packages ppp and pptp-linux. Put the password into /etc/ppp/chap-secrets, which only root may read, as a line of its own:')
		],
		lines: [ secretsWord(to.name) + ' home ' + secretsWord(to.password) + ' *' ],
		after: [ _('Then, as root:') ],
		more: [
			'pppd pty "pptp ' + to.host + ' --nolaunchpppd" user ' + shellWord(to.name) +
				' remotename home require-mppe-128 refuse-pap refuse-chap refuse-mschap refuse-eap noauth nodetach'
		]
	};
}

function phone(to) {
	return {
		title: _('Old Android and iOS'),
		steps: [
			_('Settings, VPN, add a VPN of the type PPTP, encryption on. Android 12 and iOS 10 and newer no longer have PPTP.')
		],
		lines: [
			_('Server') + ': ' + to.host,
			_('Account') + ': ' + to.name,
			_('Password') + ': ' + to.password
		],
		after: []
	};
}

function block(lines) {
	const text = lines.join('\n');

	return E('div', { class: 'pptp-copy' }, [
		E('pre', { style: 'white-space:pre-wrap;overflow-wrap:anywhere' }, [ text ]),
		clipboard.button(() => text)
	]);
}

function paragraphs(texts) {
	return texts.map((text) => E('p', {}, [ text ]));
}

function section(part, open) {
	return E('details', { open: open ? '' : null }, [
		E('summary', { style: 'cursor:pointer;padding:.5em 0' }, [ E('strong', {}, [ part.title ]) ]),
		...paragraphs(part.steps),
		block(part.lines),
		...paragraphs(part.after),
		...(part.more ? [ block(part.more) ] : [])
	]);
}

// The names that dynamic DNS services keep pointing at this router.
function dynamicNames(config) {
	return router.sections(config, 'service')
		.filter((service) => options.isTrue(service.enabled) && service.use_ipv6 != '1')
		.map((service) => service.lookup_host || service.domain)
		.filter((name) => /^[A-Za-z0-9._-]+$/.test(name || ''));
}

function warning(place) {
	if (!place.wan)
		return _('The router has no connection to the Internet now, so its address is not known.');

	const why = address.unreachable(place.wan);

	if (why == 'cgnat')
		return _('The provider shares one address among many customers (CGNAT): nobody can call %s from outside. Ask the provider for a public IPv4 address.').format(place.wan);

	return why ? _('The WAN address %s is private: another router stands in front of this one. Forward TCP port 1723 there, turn on "PPTP pass-through", and use that router\'s address.').format(place.wan) : null;
}

function portWarning(port) {
	return port == '1723' ? null
		: _('The server listens on TCP port %s. Windows and most devices can dial 1723 only.').format(port);
}

return baseclass.extend({
	// Where callers find this router: { host, wan }.
	place() {
		return Promise.all([ router.interfaces(), router.config('ddns') ]).then(([ interfaces, ddns ]) => {
			const wan = address.wan(interfaces);

			return { host: dynamicNames(ddns)[0] || wan || _('ADDRESS-OF-THIS-ROUTER'), wan };
		});
	},

	// The parts of the instructions, for one account. The password is known only right after it
	// was typed.
	parts(host, name, password) {
		const to = { host, name, password: password || _('(the password of the account)') };

		return [ windows, mikrotik, linux, phone ].map((part) => part(to));
	},

	show(name, password, port) {
		return this.place().then((place) => {
			const warnings = [ warning(place), portWarning(port) ].filter((text) => text);
			const parts = this.parts(place.host, name, password);

			const content = E('div', {}, [
				...warnings.map((text) => E('div', { class: 'alert-message warning' }, [ text ])),
				password ? E('div', { class: 'alert-message notice' },
					[ _('The password is shown only now. Copy it before you close this window.') ]) : '',
				...parts.map((part, at) => section(part, at == 0))
			]);
			// A closed window stays in the page; the password must not stay in it.
			const close = () => {
				content.remove();
				ui.hideModal();
			};

			ui.showModal(_('How to dial in'), [
				content, E('div', { class: 'right' }, [ E('button', { class: 'btn cbi-button', click: close }, [ _('Close') ]) ])
			]);
		});
	}
});
