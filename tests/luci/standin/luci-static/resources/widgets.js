// Stand-in of LuCI's fields: each has a node, a value, and marks itself when it is wrong.
'use strict';
'require baseclass';

class Field {
	constructor(settings) {
		this.settings = settings;
	}

	// Watches an input; `changed` runs after each change.
	watch(input) {
		input.disabled = this.settings.disabled === true;
		[ 'keyup', 'change', 'blur' ].forEach((name) => input.addEventListener(name, (ev) => {
			this.check();
			this.settings.changed(ev);
		}));
		this.input = input;

		return input;
	}

	getValue() {
		return this.input.value;
	}

	setValue(value) {
		this.input.value = value;
	}

	// What is wrong, or nothing.
	check() {
		const value = this.getValue();
		const verdict = (value.length || this.settings.optional) ? this.settings.validate(value) : 'Expecting: non-empty value';

		this.input.classList.toggle('cbi-input-invalid', verdict !== true);
		this.input.title = verdict === true ? '' : verdict;

		return verdict === true ? null : verdict;
	}
}

class Text extends Field {
	constructor(value, settings) {
		super(settings);
		this.node = E('div', {}, [ this.watch(E('input', {
			class: 'cbi-input-text', type: settings.password ? 'password' : 'text', placeholder: settings.placeholder
		})) ]);
		this.setValue(value == null ? '' : value);
	}
}

class Select extends Field {
	constructor(value, choices, settings) {
		super(settings);
		this.node = E('div', {}, [ this.watch(E('select', { class: 'cbi-input-select' },
			Object.entries(choices).map(([ key, label ]) => E('option', { value: key }, [ label ])))) ]);
		this.setValue(value);
	}
}

// A text with proposals.
class Combo extends Text {
	constructor(value, choices, settings) {
		super(value, settings);

		const id = 'list' + Math.random();

		this.input.setAttribute('list', id);
		this.node.appendChild(E('datalist', { id }, Object.keys(choices).map((key) => E('option', { value: key }))));
	}
}

class Box extends Field {
	constructor(value, settings) {
		super(settings);
		this.node = E('div', {}, [ this.watch(E('input', { type: 'checkbox' })) ]);
		this.input.checked = value == '1';
	}

	getValue() {
		return this.input.checked ? '1' : '0';
	}
}

// One value in each line.
class List extends Field {
	constructor(value, settings) {
		super(settings);
		this.node = E('div', { class: 'cbi-dynlist' }, [ this.watch(E('textarea', { rows: 2, placeholder: settings.placeholder })) ]);
		this.input.value = L.toArray(value).join('\n');
	}

	getValue() {
		return this.input.value.split('\n').map((line) => line.trim()).filter((line) => line);
	}

	check() {
		const wrong = this.getValue().map((value) => this.settings.validate(value)).find((verdict) => verdict !== true);

		this.input.classList.toggle('cbi-input-invalid', wrong != null);

		return wrong || null;
	}
}

return baseclass.extend({
	Text, Select, Combo, Box, List,

	// Buttons that show one of several panes.
	tabBar(tabs, panes) {
		const show = (at) => panes.forEach((pane, place) => { pane.style.display = place == at ? '' : 'none'; });

		show(0);

		return E('ul', { class: 'cbi-tabmenu' }, tabs.map((tab, at) => E('li', { 'data-tab': tab.name },
			[ E('a', { href: '#', click: (ev) => { ev.preventDefault(); show(at); } }, [ tab.title ]) ])));
	}
});
