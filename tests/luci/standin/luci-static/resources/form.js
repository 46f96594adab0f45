// Stand-in of LuCI's forms: maps, sections and the kinds of options that the pages use.
'use strict';
'require baseclass';
'require rpc';
'require uci';
'require ui';
'require dom';
'require widgets';

const callAccess = rpc.declare({
	object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: false }
});

class Map {
	constructor(config, title, description) {
		Object.assign(this, { config, title, description, children: [] });
	}

	section(Kind, ...args) {
		const made = new Kind(this, ...args);

		this.children.push(made);

		return made;
	}

	load() {
		return Promise.all([ callAccess('uci', this.config, 'write'), uci.load(this.config) ]).then(([ may ]) => {
			this.readonly = !may;

			return this.children.forEach((section) => section.load());
		});
	}

	render() {
		return this.load().then(() => this.renderContents());
	}

	renderContents() {
		this.root = this.root || E('div', { id: 'cbi-' + this.config, class: 'cbi-map' });
		this.root.map = this;
		dom.content(this.root, [
			this.title ? E('h2', {}, [ this.title ]) : '', this.description || '',
			...this.children.map((section) => section.render())
		]);

		return this.root;
	}

	parse() {
		return Promise.all(this.children.flatMap((section) => section.parse()));
	}

	save(callback, silent) {
		return this.parse().then(() => uci.save()).then(() => this.load()).catch((error) => {
			if (!silent)
				ui.showModal('Save error', [ E('p', {}, [ error.message ]), E('button', { class: 'btn', click: ui.hideModal }, [ 'Dismiss' ]) ]);

			throw error;
		}).then(() => this.renderContents());
	}

	lookupOption(name, id) {
		const found = this.children.flatMap((section) => section.children).find((option) => option.option == name);

		return found && found.getUIElement(id) ? [ found, id ] : null;
	}
}

class Section {
	constructor(map) {
		Object.assign(this, { map, config: map.config, children: [], tabs: [] });
	}

	tab(name, title) {
		this.tabs.push({ name, title });
	}

	option(Kind, name, title, description) {
		const made = new Kind(this.map, this, name, title, description);

		this.children.push(made);

		return made;
	}

	taboption(tab, ...args) {
		return Object.assign(this.option(...args), { tab });
	}

	load() {
		this.cfgsections().forEach((id) => this.children.forEach((option) => option.cfgvalue(id, option.load(id))));
	}

	parse() {
		return this.cfgsections().flatMap((id) => this.children.filter((option) => !this.skips(option)).map((option) => option.parse(id)));
	}

	skips() {
		return false;
	}
}

class NamedSection extends Section {
	constructor(map, id, type) {
		super(map);
		Object.assign(this, { id, type });
	}

	cfgsections() {
		return [ this.id ];
	}

	render() {
		if (!this.tabs.length)
			return E('div', { class: 'cbi-section' }, this.children.map((option) => option.render(this.id)));

		const panes = this.tabs.map((tab) => E('div', { 'data-tab': tab.name },
			this.children.filter((option) => option.tab == tab.name).map((option) => option.render(this.id))));

		return E('div', { class: 'cbi-section' }, [ widgets.tabBar(this.tabs, panes), ...panes ]);
	}
}

class GridSection extends Section {
	constructor(map, type) {
		super(map);
		this.type = type;
	}

	cfgsections() {
		return uci.sections(this.config, this.type).map((section) => section['.name']);
	}

	skips(option) {
		return !option.editable;
	}

	columns() {
		return this.children.filter((option) => !option.modalonly);
	}

	render() {
		const locked = this.map.readonly ? '' : null;
		const head = E('tr', { class: 'tr table-titles' }, [ ...this.columns().map((option) => E('th', { class: 'th' }, [ option.title ])), E('th', {}) ]);
		const rows = this.cfgsections().map((id) => this.row(id, locked));

		return E('div', { class: 'cbi-section' }, [
			E('table', { class: 'table cbi-section-table' }, [ head, ...rows ]),
			E('button', { class: 'btn cbi-button-add', disabled: locked, click: (ev) => this.handleAdd(ev) }, [ this.addbtntitle ])
		]);
	}

	row(id, locked) {
		const cells = this.columns().map((option) => E('td', { class: 'td', 'data-title': option.title, 'data-name': option.option },
			[ option.editable ? option.renderWidget(id, 0, option.cfgvalue(id)) : option.textvalue(id) ]));
		const action = (label, style, work) => E('button', { class: 'btn ' + style, disabled: locked, click: ui.createHandlerFn(this, work) }, [ label ]);

		return E('tr', { class: 'tr', 'data-section-id': id }, [ ...cells, E('td', { class: 'td' }, [
			action('Edit', 'cbi-button-edit', () => this.openModal(id)),
			action('Delete', 'cbi-button-remove', () => this.handleRemove(id))
		]) ]);
	}

	handleAdd(ev, name) {
		this.added = uci.add(this.config, this.type, name);

		return this.openModal(name);
	}

	handleRemove(id) {
		uci.remove(this.config, id);

		return this.map.save(null, true);
	}

	openModal(id) {
		const map = new Map(this.config);
		const section = map.section(NamedSection, id, this.type);

		section.tabs = this.tabs;
		section.children = this.children.filter((option) => option.modalonly !== false)
			.map((option) => Object.assign(Object.create(option), { map, section, data: {} }));

		return map.render().then((node) => ui.showModal(this.modaltitle(id), [ node, E('div', { class: 'button-row' }, [
			E('button', { class: 'btn', click: (ev) => this.handleModalCancel(map, ev) }, [ 'Dismiss' ]),
			E('button', { class: 'btn cbi-button-positive', click: ui.createHandlerFn(this, 'handleModalSave', map) }, [ 'Save' ])
		]) ]));
	}

	handleModalCancel(map, ev, isSaving) {
		if (this.added && !isSaving)
			uci.remove(this.config, this.added);

		this.added = null;
		ui.hideModal();
	}

	// As in LuCI: what is wrong is marked in the window, which stays open.
	handleModalSave(map, ev) {
		return map.save(null, true).then(() => {
			this.handleModalCancel(map, ev, true);

			return this.map.load().then(() => this.map.renderContents());
		}).catch((error) => console.debug(error));
	}
}

class Value {
	constructor(map, section, option, title, description) {
		Object.assign(this, { map, section, option, title, description, config: map.config, data: {}, nodes: {}, rmempty: true, default: null });
	}

	value(key, label) {
		this.choices = { ...this.choices, [key]: label };
	}

	load(id) {
		return uci.get(this.config, id, this.option);
	}

	cfgvalue(id, value) {
		if (value !== undefined)
			this.data[id] = value;

		return this.data[id];
	}

	textvalue(id) {
		return E('span', {}, [ this.cfgvalue(id) || '–' ]);
	}

	validate() {
		return true;
	}

	// Whether the form shows the option.
	isActive(id) {
		return this.getUIElement(id) != null;
	}

	getUIElement(id) {
		const found = Object.hasOwn(this, 'widgets') ? this.widgets[id] : null;

		return found || null;
	}

	formvalue(id) {
		return this.getUIElement(id) ? this.getUIElement(id).getValue() : null;
	}

	triggerValidation(id) {
		this.getUIElement(id).check();
	}

	makeWidget(id, value, settings) {
		return this.choices ? new widgets.Combo(value, this.choices, settings) : new widgets.Text(value, settings);
	}

	renderWidget(id, index, value) {
		const settings = {
			placeholder: this.placeholder, password: this.password, disabled: this.map.readonly,
			optional: this.rmempty, validate: (now) => this.validate(id, now), choices: this.choices,
			changed: (ev) => this.onchange && this.onchange(ev, id, this.formvalue(id))
		};

		if (!Object.hasOwn(this, 'widgets'))
			this.widgets = {};

		this.widgets[id] = this.makeWidget(id, value == null ? this.default : value, settings);

		return this.widgets[id].node;
	}

	render(id) {
		return E('div', { class: 'cbi-value', 'data-name': this.option }, [
			E('label', { class: 'cbi-value-title' }, [ this.title ]),
			E('div', { class: 'cbi-value-field' }, [
				this.renderWidget(id, 0, this.cfgvalue(id)),
				this.description ? E('div', { class: 'cbi-value-description' }, [ this.description ]) : ''
			])
		]);
	}

	parse(id) {
		const error = this.getUIElement(id).check();

		if (error)
			return Promise.reject(new TypeError('Option "%s" contains an invalid input value. %s'.format(this.title, error)));

		const value = this.formvalue(id);

		if (value === '' || value == null || value.length == 0)
			return Promise.resolve(this.remove(id));

		return Promise.resolve(JSON.stringify(value) == JSON.stringify(this.cfgvalue(id)) ? null : this.write(id, value));
	}

	write(id, value) {
		uci.set(this.config, id, this.option, value);
	}

	remove(id) {
		uci.unset(this.config, id, this.option);
	}
}

class Flag extends Value {
	makeWidget(id, value, settings) {
		return new widgets.Box(value, settings);
	}
}

class ListValue extends Value {
	makeWidget(id, value, settings) {
		return new widgets.Select(value, this.choices, settings);
	}
}

class DynamicList extends Value {
	makeWidget(id, value, settings) {
		return new widgets.List(value, settings);
	}
}

class DummyValue extends Value {
	parse() {
		return Promise.resolve();
	}
}

return baseclass.extend({ Map, NamedSection, GridSection, Value, Flag, ListValue, DynamicList, DummyValue });
