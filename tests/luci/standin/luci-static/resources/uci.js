// Stand-in of LuCI's view of the configuration: what was read, and what was changed since.
'use strict';
'require baseclass';
'require rpc';

const callGet = rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} }, reject: true });
const callAdd = rpc.declare({ object: 'uci', method: 'add', params: [ 'config', 'type', 'name', 'values' ], reject: true });
const callSet = rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ], reject: true });
const callDelete = rpc.declare({ object: 'uci', method: 'delete', params: [ 'config', 'section', 'options' ], reject: true });

const read = {};
const now = {};

function plain(section) {
	return Object.fromEntries(Object.entries(section).filter(([ key ]) => !key.startsWith('.')));
}

// The calls that lead from what was read to what is there now.
function calls(config) {
	const gone = Object.keys(read[config]).filter((id) => !now[config][id]);
	const made = Object.keys(now[config]).filter((id) => !read[config][id]);
	const kept = Object.keys(now[config]).filter((id) => read[config][id]);

	return [
		...gone.map((id) => callDelete(config, id)),
		...made.map((id) => callAdd(config, now[config][id]['.type'], id, plain(now[config][id]))),
		...kept.flatMap((id) => difference(config, id, read[config][id], now[config][id]))
	];
}

function difference(config, id, old, fresh) {
	const gone = Object.keys(old).filter((key) => !(key in fresh));
	const changed = Object.entries(fresh).filter(([ key, value ]) => JSON.stringify(value) != JSON.stringify(old[key]));

	return [
		...(gone.length ? [ callDelete(config, id, gone) ] : []),
		...(changed.length ? [ callSet(config, id, Object.fromEntries(changed)) ] : [])
	];
}

return baseclass.extend({
	load(config) {
		if (now[config])
			return Promise.resolve();

		return callGet(config).then((values) => {
			read[config] = values;
			now[config] = structuredClone(values);
		});
	},

	unload(config) {
		delete read[config];
		delete now[config];
	},

	sections(config, type) {
		return Object.values(now[config] || {}).filter((section) => !type || section['.type'] == type)
			.sort((a, b) => a['.index'] - b['.index']);
	},

	get(config, id, option) {
		const section = (now[config] || {})[id];

		return section && option ? section[option] : section;
	},

	set(config, id, option, value) {
		if (value == null || value === '')
			delete now[config][id][option];
		else
			now[config][id][option] = value;
	},

	unset(config, id, option) {
		this.set(config, id, option, null);
	},

	add(config, type, name) {
		now[config][name] = { '.type': type, '.name': name, '.anonymous': false, '.index': 1000 + Object.keys(now[config]).length };

		return name;
	},

	remove(config, id) {
		delete now[config][id];
	},

	save() {
		const configs = Object.keys(now);

		return Promise.all(configs.flatMap(calls)).then(() => {
			configs.forEach((config) => this.unload(config));

			return Promise.all(configs.map((config) => this.load(config)));
		});
	}
});
