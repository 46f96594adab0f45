// Loads a module of the page outside of a browser, with the modules that it requires.
'use strict';

const fs = require('fs');
const path = require('path');

const ROOT = path.join(__dirname, '../../luci/luci-app-pptp-server/htdocs/luci-static/resources');
const loaded = {
	baseclass: { extend: (members) => members },
	rpc: { declare: () => () => Promise.reject(new Error('no router here')) },
	ui: {}, uci: {}
};

global._ = (text) => text;
global.L = {
	isObject: (value) => value != null && typeof(value) == 'object',
	toArray: (value) => value == null ? [] : (Array.isArray(value) ? value : String(value).split(/\s+/).filter((word) => word))
};
global.E = () => ({});
String.prototype.format = function(...args) {
	return this.replace(/%[sd]/g, () => args.shift());
};

function load(name) {
	if (!loaded[name]) {
		const source = fs.readFileSync(path.join(ROOT, name.replace(/\./g, '/') + '.js'), 'utf8');
		const needs = [ ...source.matchAll(/^'require ([^' ]+)(?: as ([^']+))?';$/gm) ];

		loaded[name] = new Function(...needs.map((need) => need[2] || need[1]), source)(...needs.map((need) => load(need[1])));
	}

	return loaded[name];
}

module.exports = load;
