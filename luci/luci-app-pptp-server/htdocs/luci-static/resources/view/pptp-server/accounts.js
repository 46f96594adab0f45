// The accounts: who may dial in. Passwords are hashed in this page; the clear text is shown once,
// right after it was typed or made, and is written nowhere.
'use strict';
'require view';
'require form';
'require uci';
'require ui';
'require dom';
'require poll';
'require pptp-server.address as address';
'require pptp-server.badge as badge';
'require pptp-server.clipboard as clipboard';
'require pptp-server.guard as guard';
'require pptp-server.guide as guide';
'require pptp-server.importer as importer';
'require pptp-server.lan as lan';
'require pptp-server.options as options';
'require pptp-server.password as password';
'require pptp-server.rights as rights';
'require pptp-server.router as router';
'require pptp-server.words as words';

const CONFIG = 'pptp-server';
const KINDS = { flag: form.Flag, number: form.Value, list: form.DynamicList };
const STRENGTHS = {
	weak: [ 'bad', _('Weak: easy to guess.') ],
	fair: [ 'note', _('Fair: longer is better.') ],
	strong: [ 'good', _('Strong.') ]
};

function accounts() {
	return uci.sections(CONFIG, 'user');
}

function serverSection() {
	return uci.sections(CONFIG, 'server')[0];
}

// A section of its own name: two browsers that add and remove accounts never mean different
// accounts by the same name, as they would by numbers.
function newName() {
	const octets = crypto.getRandomValues(new Uint8Array(4));

	return 'user_' + [ ...octets ].map((octet) => octet.toString(16).padStart(2, '0')).join('');
}

function checkName(id, value) {
	if (value === '')
		return _('Enter a name.');

	if (new TextEncoder().encode(value).length > 128)
		return _('The name is too long: at most 128 octets, and letters beyond English take two or more.');

	// eslint-disable-next-line no-control-regex
	if (/[\\\u0000-\u001f\u007f-\u009f]/.test(value))
		return _('A name cannot contain a backslash or control characters: Windows puts a domain in front of a backslash.');

	if (value.trim() != value)
		return _('The name starts or ends with a blank, which nobody would see.');

	return accounts().some((other) => other['.name'] != id && other.username === value)
		? _('There is an account of this name already.') : true;
}

// `facts` tell what DHCP gives out in the LAN: the server refuses to give that to a caller.
function checkAddress(id, value, facts) {
	if (value === '')
		return true;

	const alone = options.checkHost(value);

	if (alone !== true)
		return alone;

	if (value == options.value(serverSection(), 'local_ip'))
		return _('This is the address of the server itself.');

	const number = address.parse(value);
	const twice = lan.givenTwice({ first: number, last: number }, { ...facts, server: serverSection() });

	if (twice)
		return twice.what;

	return accounts().some((other) => other['.name'] != id && other.ip == value)
		? _('Another account has this address.') : true;
}

// What is wrong with a value of an option of rights.
function checkRight(row, id, value) {
	const alone = (value === '' || value == null) ? true : row.check(value);
	const server = { pool: options.value(serverSection(), 'pool'), local_ip: options.value(serverSection(), 'local_ip') };

	return (alone === true && row.name == 'route' && value) ? rights.clash(value, id, server, accounts()) : alone;
}

return view.extend({
	load() {
		return Promise.all([
			router.reloadConfig().then(() => true, () => false),
			router.status(), router.failures(), router.config('pptpd'),
			router.interfaces(), router.config('dhcp')
		]).then((facts) => guard.remember().then(() => facts));
	},

	render([ readable, status, failures, old, interfaces, dhcp ]) {
		if (!readable)
			return E('p', {}, [ _('The file /etc/config/pptp-server is missing or cannot be read.') ]);

		// Passwords that were typed on this page and not yet shown with the instructions.
		this.fresh = {};
		this.old = old;
		this.facts = { status, interfaces, dhcp };
		this.noteStatus(status, failures);
		poll.add(() => Promise.all([ router.status(), router.failures() ])
			.then(([ now, list ]) => this.noteStatus(now, list)));

		return this.form().render().then((node) => E([], [ node, this.extras() ]));
	},

	form() {
		const map = new form.Map(CONFIG, _('Accounts'),
			E('div', {}, [ _('Each device gets an account of its own with a password that is used nowhere else.') ]));
		const section = map.section(form.GridSection, 'user');

		Object.assign(section, {
			anonymous: true, addremove: true, nodescriptions: true,
			// No names in the title: LuCI takes titles for HTML.
			addbtntitle: _('Add account'), modaltitle: () => _('Account')
		});
		this.map = map;
		this.section = section;
		this.guardSection(section);
		rights.tabs.forEach(([ name, title ]) => section.tab(name, title));
		rights.rows.forEach((row) => this.addRight(section, row));
		[ 'username', 'nt_hash', 'ip', 'enabled', 'push_route', '_rights', '_online', '_guide' ].forEach((name) => this['add' + name](section, name));

		return map;
	},

	// Adding and removing go through the guard; a fresh password is shown after saving. What was
	// typed into a window that is dismissed is forgotten, even if a part of it was right.
	guardSection(section) {
		const page = this;
		const { handleModalSave, handleModalCancel, handleRemove, handleAdd } = form.GridSection.prototype;

		section.handleAdd = function(ev) {
			return handleAdd.call(this, ev, newName());
		};
		section.handleRemove = function(...args) {
			return guard.run(() => handleRemove.apply(this, args));
		};
		section.handleModalSave = function(...args) {
			return guard.run(() => handleModalSave.apply(this, args)).then(() => page.showFresh());
		};
		section.handleModalCancel = function(map, ev, isSaving) {
			if (isSaving)
				return handleModalCancel.call(this, map, ev, isSaving);

			page.fresh = {};

			return router.reloadConfig().then(() => handleModalCancel.call(this, map, ev, isSaving));
		};
	},

	addusername(section, name) {
		const option = section.taboption('basic', form.Value, name, _('Name'),
			_('What the caller enters as user name. Capital and small letters differ.'));

		option.rmempty = false;
		option.validate = checkName;
		option.textvalue = (id) => E('span', {}, [
			E('strong', { style: 'overflow-wrap:anywhere' }, [ uci.get(CONFIG, id, name) || '–' ]), ' ', this.twice(id)
		]);
	},

	// The server refuses a file in which a name stands twice.
	twice(id) {
		const name = uci.get(CONFIG, id, 'username');
		const others = accounts().filter((other) => other.username === name && other['.name'] != id);

		return others.length ? badge.make('bad', _('stands twice')) : '';
	},

	addenabled(section, name) {
		const option = section.taboption('basic', form.Flag, name, _('Enabled'));

		option.editable = true;
		this.keepSwitch(option, name);
	},

	// A switch that is on when the file says nothing; the file stays as it is unless it changes.
	keepSwitch(option, name) {
		option.default = '1';
		option.load = (id) => options.isTrue(uci.get(CONFIG, id, name) || '1') ? '1' : '0';
		option.parse = function(id) {
			const value = this.formvalue(id);

			if (value != this.cfgvalue(id))
				this.write(id, value);

			return Promise.resolve();
		};
	},

	addRight(section, row) {
		const option = section.taboption(row.tab, KINDS[row.kind], row.name, row.title, row.help);

		option.modalonly = true;

		if (row.kind == 'flag')
			return this.keepSwitch(option, row.name);

		option.placeholder = row.default;
		option.validate = (id, value) => checkRight(row, id, value);

		if (row.kind == 'list')
			option.load = (id) => rights.items(row, uci.get(CONFIG, id, row.name));
	},

	addip(section, name) {
		const option = section.taboption('basic', form.Value, name, _('Fixed address'),
			_('The address that this account always gets. Empty: any of the range.'));

		option.placeholder = _('any of the range');
		option.validate = (id, value) => checkAddress(id, value, this.facts);
		option.textvalue = (id) => E('span', {}, [ uci.get(CONFIG, id, name) || _('any') ]);
	},

	addpush_route(section, name) {
		const option = section.taboption('networks', form.DynamicList, name, _('Networks through the tunnel'),
			_('Up to 4 networks such as 192.168.5.0/24 that callers of this account send into the tunnel, beside those of the server\'s settings.'));

		option.modalonly = true;
		option.validate = (id, value) => value === '' || options.checkNetwork(value);
	},

	// The field is always empty when it is opened: what is stored cannot be shown.
	addnt_hash(section, name) {
		const page = this;
		const option = section.taboption('basic', form.Value, name, _('Password'),
			_('Only a hash of it is stored. Empty: the password stays as it is.'));
		const render = option.renderWidget;

		Object.assign(option, {
			password: true,
			load: () => '',
			textvalue: (id) => this.passwordState(uci.get(CONFIG, id)),
			validate: (id, value) => this.checkPassword(id, value),
			remove() {},
			write: (id, value) => this.writePassword(id, value),
			renderWidget(id, index) {
				return page.passwordField(this, id, render.call(this, id, index, ''));
			}
		});
		option.onchange = function(ev, id, value) {
			page.judge(this, id, value);
		};
	},

	add_rights(section, name) {
		const option = section.option(form.DummyValue, name, _('Rights'));

		option.modalonly = false;
		option.load = () => null;
		option.textvalue = (id) => E('span', { 'data-rights': id }, rights.badges(uci.get(CONFIG, id) || {}, _('all')));
	},

	add_online(section, name) {
		const option = section.option(form.DummyValue, name, _('Online'));

		option.modalonly = false;
		option.load = () => null;
		option.textvalue = (id) => E('span', { 'data-online': id }, this.online(uci.get(CONFIG, id, 'username')));
	},

	add_guide(section, name) {
		const option = section.option(form.DummyValue, name, _('Instructions'));

		option.modalonly = false;
		option.load = () => null;
		option.textvalue = (id) => E('button', {
			class: 'btn cbi-button', click: ui.createHandlerFn(this, () => this.showGuide(id))
		}, [ _('How to dial in') ]);
	},

	passwordState(account) {
		if (account && account.nt_hash)
			return E('span', {}, [ _('set') ]);

		return account && account.password ? badge.make('note', _('readable in the file'))
			: badge.make('bad', _('missing'));
	},

	checkPassword(id, value) {
		const account = uci.get(CONFIG, id) || {};

		if (value === '' && !account.nt_hash && !account.password)
			return _('Enter a password, or press Generate.');

		return password.check(value);
	},

	writePassword(id, value) {
		uci.set(CONFIG, id, 'nt_hash', password.hash(value));
		uci.unset(CONFIG, id, 'password');
		this.fresh[id] = value;
	},

	passwordField(option, id, node) {
		const shown = E('code', { class: 'pptp-fresh' });
		const copy = clipboard.button(() => shown.textContent);
		const made = E('div', { style: 'display:none' }, [ shown, ' ', copy, E('div', {}, [ _('Note it now: it is shown only once.') ]) ]);
		const generate = E('button', { type: 'button', class: 'btn cbi-button', click: ui.createHandlerFn(this, () => {
			const fresh = password.generate();

			shown.textContent = fresh;
			made.style.display = '';
			option.getUIElement(id).setValue(fresh);
			option.triggerValidation(id);
			this.judge(option, id, fresh);
		}) }, [ _('Generate') ]);

		this.verdict = E('div', { class: 'pptp-verdict' });

		if (this.map.readonly)
			return node;

		return E('div', {}, [
			E('div', { style: 'display:flex;flex-wrap:wrap;gap:.5em;align-items:center' }, [ node, generate ]), made, this.verdict
		]);
	},

	// Under the field: how good the password is, and whether it is used twice.
	judge(option, id, value) {
		const name = this.modalName(option, id);
		const [ kind, text ] = STRENGTHS[password.strength(value, name)];
		const twin = value ? password.usedBy(value, id, accounts()) : null;
		const notes = value ? [ badge.make(kind, text) ] : [];

		if (twin)
			notes.push(' ', badge.make('bad', _('The account "%s" has the same password.').format(twin.username)));

		if (!password.isPlain(value))
			notes.push(' ', badge.make('note', _('Some old devices cannot send letters beyond English.')));

		dom.content(this.verdict, notes);
	},

	modalName(option, id) {
		const found = option.map.lookupOption('username', id);

		return found ? found[0].formvalue(id) : '';
	},

	noteStatus(status, failures) {
		this.status = status;
		this.failures = failures || [];
		document.querySelectorAll('[data-online]').forEach((node) =>
			dom.content(node, this.online(uci.get(CONFIG, node.getAttribute('data-online'), 'username'))));
	},

	// Where an account is connected, or when it last was as far as the server remembers.
	online(name) {
		const sessions = L.toArray((this.status || {}).sessions)
			.filter((session) => session.name === name && session.state == 'open');

		if (sessions.length)
			return sessions.map((session) => badge.make('good', session.address));

		const last = this.failures.find((failure) => failure.name === name && words.cause(failure).normal);

		return [ last ? _('last seen: %s').format(words.ago(last.seconds)) : '–' ];
	},

	showGuide(id) {
		const known = this.fresh[id];

		delete this.fresh[id];

		return guide.show(uci.get(CONFIG, id, 'username') || '', known, options.value(serverSection(), 'port'));
	},

	// After a new password was saved: the instructions with it, once. When something was refused the
	// window is still open.
	showFresh() {
		const open = document.body.classList.contains('modal-overlay-active');
		const id = Object.keys(this.fresh).find((candidate) => uci.get(CONFIG, candidate));

		return id && !open ? this.showGuide(id) : null;
	},

	// Below the table: passwords in clear text, and accounts of another server on this router.
	extras() {
		const clear = accounts().filter((account) => account.password && password.isPlain(account.password));
		const found = importer.candidates(this.old, accounts());
		const usable = found.filter((candidate) => !candidate.obstacle).length;
		const parts = [];

		if (clear.length && !this.map.readonly)
			parts.push(E('p', {}, [
				_('Passwords that can be read in the file: %d.').format(clear.length), ' ',
				E('button', { class: 'btn cbi-button', click: ui.createHandlerFn(this, 'handleConvert', clear) }, [ _('Store hashes instead') ])
			]));

		if (usable && !this.map.readonly)
			parts.push(E('p', {}, [
				_('The server "pptpd" has accounts on this router: %d.').format(usable), ' ',
				E('button', { class: 'btn cbi-button', click: () => importer.show(found, (chosen) => this.handleImport(chosen)) }, [ _('Import accounts') ])
			]));

		return E('div', { class: 'cbi-section', id: 'pptp-extras' }, [ ...parts ]);
	},

	handleConvert(clear) {
		clear.forEach((account) => {
			uci.set(CONFIG, account['.name'], 'nt_hash', password.hash(account.password));
			uci.unset(CONFIG, account['.name'], 'password');
		});

		return this.saveExtras();
	},

	handleImport(chosen) {
		chosen.forEach((login) => {
			const id = uci.add(CONFIG, 'user', newName());

			uci.set(CONFIG, id, 'username', login.username);
			uci.set(CONFIG, id, 'nt_hash', password.hash(login.password));

			if (login.ip)
				uci.set(CONFIG, id, 'ip', login.ip);
		});

		return this.saveExtras();
	},

	saveExtras() {
		return guard.run(() => this.map.save(null, true)).then(() => {
			dom.content(document.getElementById('pptp-extras'), [ E('p', {}, [ _('Done. Press "Save & Apply" to make it count.') ]) ]);
		});
	},

	handleSave(ev) {
		return guard.run(() => this.super('handleSave', [ ev ]));
	}
});
