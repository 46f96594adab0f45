// Stand-in of LuCI's core: classes, elements, loading of modules, polling, the base of all views.
/* exported LuCI */
'use strict';

let L = null;

// Children that are no elements become text, as in LuCI when they stand in an array. LuCI takes a
// bare string for HTML; here that is an error, so that no page relies on it.
function append(node, children) {
	if (children instanceof Node)
		node.appendChild(children);
	else if (Array.isArray(children))
		children.filter((child) => child != null).forEach((child) =>
			node.appendChild(child instanceof Node ? child : document.createTextNode(String(child))));
	else if (children != null)
		throw new TypeError('a bare string as content: ' + children);

	return node;
}

function setAttribute(node, name, value) {
	if (typeof(value) == 'function')
		node.addEventListener(name, value);
	else if (value != null)
		node.setAttribute(name, value);
}

function E(tag, attributes, children) {
	if (Array.isArray(tag))
		return append(document.createDocumentFragment(), children || attributes || []);

	const node = document.createElement(tag);

	Object.entries(attributes || {}).forEach(([ name, value ]) => setAttribute(node, name, value));

	return append(node, children);
}

const dom = {
	content(node, children) {
		node.replaceChildren();

		return append(node, children);
	}
};

// Classes: extend() gives a class whose instances find the base's method by super().
class Base {
	static extend(properties) {
		const base = this;

		class Extended extends base {
			constructor(...args) {
				super(...args);

				if (properties.__init__)
					properties.__init__.apply(this, args);
			}
		}

		Object.assign(Extended.prototype, properties);
		Extended.prototype.super = function(name, args) {
			return base.prototype[name].apply(this, args);
		};

		return Extended;
	}
}

// The forms on the page.
function maps() {
	return [ ...document.querySelectorAll('#maincontent .cbi-map') ].map((node) => node.map);
}

// A button below the page, if the view has what it does.
function footerButton(view, name, style, label) {
	const locked = maps().length && maps().every((map) => map.readonly);

	return view[name] ? E('button', {
		class: 'btn cbi-button ' + style, disabled: locked ? '' : null,
		click: (ev) => Promise.resolve(view[name](ev)).catch((error) => console.debug(error))
	}, [ label ]) : '';
}

// What a view calls its own methods must not clash with anything but LuCI's names.
class View extends Base {
	load() {}

	handleSave() {
		return Promise.all(maps().map((map) => map.save()));
	}

	handleSaveApply(ev) {
		return this.handleSave(ev).then(() => L.ui.changes.apply(true));
	}

	handleReset() {
		return Promise.all(maps().map((map) => map.renderContents()));
	}

	showStandin() {
		const place = document.getElementById('view');

		return Promise.resolve(this.load()).then((data) => this.render(data)).then((nodes) => {
			dom.content(place, nodes);
			append(place, E('div', { class: 'cbi-page-actions' }, [
				footerButton(this, 'handleSaveApply', 'cbi-button-apply', _('Save & Apply')),
				footerButton(this, 'handleSave', 'cbi-button-save', _('Save')), footerButton(this, 'handleReset', 'cbi-button-reset', _('Reset'))
			]));
		});
	}
}

const poll = {
	add(work, seconds) {
		window.setInterval(work, (seconds || L.env.pollinterval) * 1000);
	}
};

const modules = { baseclass: Base, view: View, dom, poll };

// What a module's first lines require: { name, as }.
function requirements(source) {
	return [ ...source.matchAll(/^'require ([^' ]+)(?: as ([^']+))?';$/gm) ].map(([ , name, as ]) =>
		({ name, as: as || name.replace(/[^a-zA-Z0-9_]/g, '_') }));
}

function compile(name, source) {
	const needs = requirements(source);

	return Promise.all(needs.map((need) => L.require(need.name))).then((found) => {
		const make = new Function('window', 'document', 'L', ...needs.map((need) => need.as),
			source + '\n//# sourceURL=' + name + '.js');
		const made = make(window, document, L, ...found);

		return made.prototype instanceof Base ? new made() : made;
	});
}

class LuCI {
	constructor(env) {
		L = this;
		this.env = env;
		[ 'rpc', 'uci', 'ui', 'form' ].forEach((name) => this.require(name).then((module) => { this[name] = module; }));
	}

	require(name) {
		if (!modules[name])
			modules[name] = fetch(this.env.resource + '/' + name.replace(/\./g, '/') + '.js')
				.then((answer) => answer.text()).then((source) => compile(name, source));

		return Promise.resolve(modules[name]);
	}

	isObject(value) {
		return value != null && typeof(value) == 'object';
	}

	toArray(value) {
		if (value == null)
			return [];

		return Array.isArray(value) ? value : (typeof(value) == 'object' ? [ value ] : String(value).trim().split(/\s+/).filter((word) => word));
	}

	resolveDefault(promise, value) {
		return Promise.resolve(promise).catch(() => value);
	}

	bind(work, self, ...args) {
		return work.bind(self, ...args);
	}

	resource(...parts) {
		return [ this.env.resource, ...parts ].join('/');
	}

	url(...parts) {
		return [ this.env.scriptname, ...parts ].join('/');
	}
}
