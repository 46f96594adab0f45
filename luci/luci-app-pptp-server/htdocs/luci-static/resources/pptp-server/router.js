// Everything the pages ask the router, as typed calls. A call that is refused or has nobody who
// answers gives null: each page then says so instead of failing.
'use strict';
'require baseclass';
'require rpc';
'require uci';

const OBJECT = 'pptp-server';

const callAccess = rpc.declare({
	object: 'session', method: 'access',
	params: [ 'scope', 'object', 'function' ], expect: { access: false }
});
const callStatus = rpc.declare({ object: OBJECT, method: 'status', reject: true });
const callFailures = rpc.declare({ object: OBJECT, method: 'failures', reject: true });
const callCheck = rpc.declare({ object: OBJECT, method: 'check', reject: true });
const callDisconnect = rpc.declare({
	object: OBJECT, method: 'disconnect', params: [ 'id' ], reject: true
});
const callUnblock = rpc.declare({
	object: OBJECT, method: 'unblock', params: [ 'address', 'name' ], reject: true
});
const callServices = rpc.declare({
	object: 'rc', method: 'list', params: [ 'name' ], reject: true
});
const callInit = rpc.declare({
	object: 'rc', method: 'init', params: [ 'name', 'action' ], reject: true
});
const callServiceData = rpc.declare({
	object: 'service', method: 'get_data', params: [ 'name', 'type' ], reject: true
});
const callInterfaces = rpc.declare({
	object: 'network.interface', method: 'dump', expect: { interface: [] }
});
const callConfig = rpc.declare({
	object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true
});
const callFiles = rpc.declare({
	object: 'file', method: 'list', params: [ 'path' ], reject: true
});

function orNull(promise) {
	return promise.catch(() => null);
}

return baseclass.extend({
	// What the server says of itself; null when it does not run.
	status() {
		return orNull(callStatus()).then((status) => L.isObject(status) ? status : null);
	},

	// The latest failed or ended calls, newest first; null when the server does not run.
	failures() {
		return orNull(callFailures()).then((answer) => L.isObject(answer)
			? L.toArray(answer.failures).sort((a, b) => a.seconds - b.seconds) : null);
	},

	// What the server finds out by looking: it answers a moment after it was asked for the first time.
	check() {
		const isOpen = (answer) => L.isObject(answer) && L.toArray(answer.dns).some((entry) => entry.state == 'asked');
		const pause = () => new Promise((resolve) => window.setTimeout(resolve, 1000));

		return orNull(callCheck().then((answer) => isOpen(answer) ? pause().then(() => callCheck()) : answer))
			.then((answer) => L.isObject(answer) ? answer : null);
	},

	disconnect(id) {
		return callDisconnect(id);
	},

	// Only what is given is unblocked.
	unblock(address, name) {
		return callUnblock(address || undefined, name || undefined);
	},

	// Whether this login may call a method of the server.
	mayCall(method) {
		return callAccess('ubus', OBJECT, method);
	},

	// Whether this login may start and stop services, this one among them.
	mayStart() {
		return callAccess('ubus', 'rc', 'init');
	},

	// { running, enabled } of an init script, empty when there is none; null when it may not be asked.
	service(name) {
		return orNull(callServices(name)).then((list) => L.isObject(list) ? list[name] || {} : null);
	},

	start() {
		return callInit(OBJECT, 'start');
	},

	// The firewall rules that the running service brings along; null when they cannot be read.
	serviceRules() {
		return orNull(callServiceData(OBJECT, 'firewall')).then((data) => {
			if (!L.isObject(data))
				return null;

			return Object.values(data[OBJECT] || {}).flatMap((instance) => L.toArray(instance.firewall));
		});
	},

	// The router's networks, each with its addresses.
	interfaces() {
		return callInterfaces().catch(() => []);
	},

	// The sections of a configuration file by name; null when there is none or it may not be read.
	config(name) {
		return orNull(callConfig(name));
	},

	// The sections of one type of what config() gave, in the order of the file.
	sections(config, type) {
		return Object.values(config || {})
			.filter((section) => section['.type'] == type)
			.sort((a, b) => a['.index'] - b['.index']);
	},

	// Names of the loaded kernel modules; null when they cannot be read.
	kernelModules() {
		return orNull(callFiles('/sys/module')).then((answer) => L.isObject(answer)
			? L.toArray(answer.entries).map((entry) => entry.name) : null);
	},

	// Forgets what was read before and reads the server's own file anew.
	reloadConfig() {
		uci.unload(OBJECT);
		return uci.load(OBJECT);
	}
});
