// Stand-in of LuCI's ubus calls: JSON-RPC over HTTP.
'use strict';
'require baseclass';

let number = 1;

function failure(options, text) {
	return new Error('RPC call to %s/%s failed: %s'.format(options.object, options.method, text));
}

function result(options, answer) {
	if (answer.error)
		throw failure(options, answer.error.message);

	if (options.reject && answer.result[0] !== 0)
		throw failure(options, 'ubus code ' + answer.result[0]);

	return expected(options, answer.result.length > 1 ? answer.result[1] : answer.result[0]);
}

function expected(options, value) {
	const [ key ] = Object.keys(options.expect || {});

	if (key == null)
		return value;

	const found = value != null && key ? value[key] : value;

	return found == null || typeof(found) != typeof(options.expect[key]) ? options.expect[key] : found;
}

return baseclass.extend({
	declare(options) {
		return (...values) => {
			const args = Object.fromEntries((options.params || []).map((name, at) => [ name, values[at] ]));
			const frame = {
				jsonrpc: '2.0', id: number++, method: 'call',
				params: [ L.env.sessionid, options.object, options.method, args ]
			};

			return fetch(L.env.ubuspath, { method: 'POST', body: JSON.stringify(frame) })
				.then((answer) => answer.json()).then((answer) => result(options, answer));
		};
	}
});
