// Stand-in of LuCI's text functions: translation and String.format.
'use strict';

// LuCI hashes sentences; here a sentence is its own key.
function sfh(text) {
	return text;
}

function _(text) {
	return (window.TR && window.TR[sfh(text)]) || text;
}

function formatSize(value, base, digits) {
	const units = [ ' ', ' K', ' M', ' G', ' T' ];
	let at = 0;

	for (; value > base && at < units.length - 1; at++)
		value /= base;

	return at ? value.toFixed(digits) + units[at] + (base == 1024 ? 'i' : '') : value + ' ';
}

function formatOne(value, pad, width, precision, kind) {
	const number = Number(value) || 0;

	switch (kind) {
	case 'd': return String(Math.trunc(number)).padStart(Number(width) || 0, pad || ' ');
	case 'x': return number.toString(16).padStart(Number(width) || 0, pad || ' ');
	case 'm': return formatSize(number, Number(width) || 1000, precision ? Number(precision.slice(1)) : 2);
	default: return value == null ? '' : String(value);
	}
}

String.prototype.format = function(...args) {
	return this.replace(/%(0)?(\d+)?(\.\d+)?([%dsxm])/g, (all, pad, width, precision, kind) =>
		kind == '%' ? '%' : formatOne(args.shift(), pad, width, precision, kind));
};
