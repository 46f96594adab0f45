// What was added for networks: rights, hours and routes of accounts, the LAN's mode, IPv6.
'use strict';

const assert = require('assert');
const { order, reset, sections, inWindow, SERVER_FILE } = require('./common.js');

const EVIL = '<img src=x onerror=window.pwned=1>';
const LONG = 'x'.repeat(200);
const BOUND = SERVER_FILE.replace("'44ebba8d5312b8d611474411f56989ae'", `'44ebba8d5312b8d611474411f56989ae'
	option lan '0'
	option relay 'off'
	option rate_up '512'
	list hours 'mon-fri 08:00-22:00'
	list route '192.168.5.0/24'`);

// Lists have one value in each line, or in LuCI itself a field that takes one after the other.
async function refuses(window, scope, name, values) {
	const place = `${scope} [data-name="${name}"]`;
	const isList = await window.page.locator(`${place} .add-item input`).count() > 0;
	const field = window.page.locator(isList ? `${place} .add-item input` : `${place} :is(textarea, input)`).first();

	for (const [ value, isRight ] of values)
		for (const text of isList && isRight ? value.split('\n') : [ value ]) {
			await field.fill(text);
			await field.dispatchEvent('keyup');
			await field.blur();
			assert.equal(await field.evaluate((node) => node.classList.contains('cbi-input-invalid')), !isRight, name + ': ' + text);

			if (isList && isRight)
				await field.press('Enter');
		}
}

function wrong(...values) {
	return values.map((value) => [ value, false ]);
}

async function edit(window, name) {
	await window.page.locator('#view .cbi-section-table tr', { hasText: name }).first().locator('.cbi-button-edit').click();
	await window.page.waitForSelector('.modal [data-name="username"]');
}

function tab(window, name) {
	return window.page.click(`.modal .cbi-tabmenu [data-tab="${name}"] a`);
}

async function clean(window) {
	assert.equal(await window.page.evaluate(() => window.pwned), undefined);
	assert.equal(await window.page.locator('img[src=x]').count(), 0);
}

module.exports = {
	async 'networks and hours of an account: wrong ones are refused, right ones kept line by line'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await edit(window, 'alice');
			await tab(window, 'networks');
			await refuses(window, '.modal', 'route', [
				...wrong(EVIL, LONG, '192.168.5.1/24', '192.168.77.0/24', '0.0.0.0/0', '192.168.5.0/24\nx'), [ '192.168.5.0/24\n10.9.0.0/16', true ]
			]);
			await refuses(window, '.modal', 'push_route', [ ...wrong(EVIL, LONG, '10.0.0.1/8', '10.0.0.0'), [ '10.0.0.0/8', true ] ]);
			await tab(window, 'limits');
			await refuses(window, '.modal', 'hours', [
				...wrong(EVIL, LONG, '8-22', 'mon 25:00-26:00', 'Montag 08:00-09:00'), [ 'mon-fri 08:00-22:00\nsat,sun 20:00-02:00', true ]
			]);
			await refuses(window, '.modal', 'idle_timeout', [ ...wrong('-1', '65536', '1e3', LONG), [ '30', true ] ]);
			await window.page.locator('.modal .cbi-button-positive').click();
			await window.modalGone();
			await clean(window);
			await window.apply();
		});

		const [ alice ] = await sections('user');

		assert.deepEqual([ alice.route, alice.push_route, alice.hours, alice.idle_timeout ],
			[ [ '192.168.5.0/24', '10.9.0.0/16' ], [ '10.0.0.0/8' ], [ 'mon-fri 08:00-22:00', 'sat,sun 20:00-02:00' ], '30' ]);
	},

	async 'the table of accounts says in short what is taken away'(browser) {
		await reset(BOUND);
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');

			for (const words of [ 'no LAN', 'no games', '↑512k ↓∞', 'hours', '192.168.5.0/24' ])
				await window.shows(words, '[data-rights="u_alice"]');

			assert(!(await window.text('[data-rights="u_alice"]')).includes('no Internet'));
			assert.equal(await window.text('[data-rights]:not([data-rights="u_alice"])'), 'all');
		});
	},

	async 'a connection shows its IPv6 address and what its account may not do'(browser) {
		await reset();
		await order('dial', { name: EVIL, ipv6: 'fd12:3456:789a:77:1:2:3:4', internet: false, rate_down: 20000, routes: [ '10.9.0.0/16' ] });
		await inWindow(browser, 'root', async (window) => {
			await window.open('sessions');

			for (const words of [ 'fd12:3456:789a:77:1:2:3:4', 'no Internet', '↑∞ ↓20M', '10.9.0.0/16', EVIL ])
				await window.shows(words, '#pptp-sessions');

			await clean(window);
		});
	},

	async 'lists of the server: wrong ports, networks, prefixes and programs are refused'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.tab('games');
			await refuses(window, '#view', 'relay_ports', [ ...wrong('0', '65536', '20-10', '1-2-3', 'x', EVIL, LONG), [ '6112\n27015-27030', true ] ]);
			await window.tab('told');
			await refuses(window, '#view', 'push_route', [ ...wrong('10.0.0.1/8', EVIL), [ '10.0.0.0/8', true ] ]);
			await refuses(window, '#view', 'domain', [ ...wrong('a b', 'dömäne', LONG, EVIL), [ 'home.lan', true ] ]);
			await window.tab('ipv6');
			await refuses(window, '#view', 'ipv6_prefix', [ ...wrong('fe80::/64', '2001:db8::/48', 'x', EVIL), [ 'auto\nfd12:3456:789a:77::/64', true ] ]);
			await refuses(window, '#view', 'ipv6_dns', [ ...wrong('1.2.3.4', '::1', EVIL), [ 'router', true ] ]);
			await window.tab('expert');
			await refuses(window, '#view', 'hook', [ ...wrong('hook', '/root/a b', LONG, EVIL), [ '/root/hook', true ] ]);
			await clean(window);
			await window.apply();
		});

		const [ main ] = await sections('server');

		assert.deepEqual([ main.relay_ports, main.push_route, main.domain, main.ipv6_prefix, main.hook ],
			[ [ '6112', '27015-27030' ], [ '10.0.0.0/8' ], 'home.lan', [ 'auto', 'fd12:3456:789a:77::/64' ], '/root/hook' ]);
	},

	async 'same subnet: what DHCP gives out is refused, and what is outside of the LAN is said'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.tab('addresses');
			await window.shows('lan 192.168.1.1/24 (DHCP 192.168.1.100-192.168.1.249)', '.pptp-pool');
			await window.field('lan_mode').selectOption('same_subnet');
			await window.shows('is not in the network "lan"', '.pptp-pool');
			await refuses(window, '#view', 'pool', wrong('192.168.1.90-192.168.1.110'));
			await window.shows('DHCP gives out 192.168.1.100-192.168.1.249', '.pptp-pool');
			await window.shows('Better: 192.168.1.2-192.168.1.99', '.pptp-pool');
			await window.type('pool', '192.168.1.20-192.168.1.40');
			await window.page.waitForFunction(() => !document.querySelector('.pptp-pool .alert-message'));
			await window.field('lan_mode').selectOption('routed');
			await window.shows('overlaps with the network "lan"', '.pptp-pool');
		});
	}
};
