// The page with the settings.
'use strict';

const assert = require('assert');
const { order, reset, sections, inWindow } = require('./common.js');

// A file in words of its owner's: all of them mean what the page knows under other words.
const HAND_MADE = `
config server 'main'
	option enabled 'on'
	option src 'wan guest'
	option mppe_stateful 'no'
	option my_own 'kept'
	option pool '192.168.77.10-192.168.77.99'
	list dns 'none'

config other 'mine'
	option kept 'too'
`;

async function change(window, tab, name, value) {
	await window.tab(tab);
	await window.type(name, value);
}

async function refuses(window, name, value, words) {
	await window.type(name, value);
	assert.equal(await window.page.locator(`[data-name="${name}"] .cbi-input-invalid`).count(), 1, value);
	await window.page.locator('.cbi-page-actions .cbi-button-save').click();
	await window.shows(words, '.modal');
	await window.page.locator('.modal button').last().click();
	await window.modalGone();
}

module.exports = {
	async 'the first page says what PPTP protects, and points to WireGuard'(browser) {
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.shows('What it does not protect');
			assert.equal(await window.page.locator('#view a[href*="wireguard"]').count(), 1);
		});
	},

	async 'every option of the server has a field'(browser) {
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');

			const names = await window.page.locator('.cbi-map .cbi-value[data-name]').evaluateAll((nodes) => nodes.map((node) => node.dataset.name));

			assert.deepEqual(names.sort(), JSON.parse(process.env.OPTIONS).sort());
		});
	},

	async 'saving without a change changes nothing; one change changes one option'(browser) {
		await reset(HAND_MADE);

		const before = await order('read', { config: 'pptp-server' });

		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.page.locator('.cbi-page-actions .cbi-button-save').click();
			await window.page.waitForTimeout(700);
			assert.deepEqual((await order('state')).staged, {});
			await change(window, 'addresses', 'mtu', '1300');
			await window.apply();
		});

		const after = await order('read', { config: 'pptp-server' });

		before[0].mtu = '1300';
		assert.deepEqual(after, before);
	},

	async 'an emptied field goes back to the default'(browser) {
		await reset(HAND_MADE);
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await change(window, 'addresses', 'pool', '');
			await window.apply();
		});
		assert.equal((await sections('server'))[0].pool, undefined);
	},

	async 'wrong ranges are refused with words that say why'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.tab('addresses');
			await refuses(window, 'pool', '192.168.77.99-192.168.77.10', 'ends before it starts');
			await refuses(window, 'pool', '192.168.77.0/24', 'first and the last address');
			await refuses(window, 'pool', '192.168.77.1-192.168.77.20', 'address of the server is one of');
			await refuses(window, 'pool', '192.168.1.1-192.168.1.9', 'own address in the network');
			await window.type('pool', '');
			await refuses(window, 'mtu', '9000', 'from 576 to 1456');
			await refuses(window, 'mtu', '1e3', 'from 576 to 1456');
		});
		assert.equal((await sections('server'))[0].pool, undefined);
	},

	async 'a range inside of the LAN is explained, and a better one proposed'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.tab('addresses');
			await window.shows('lan 192.168.1.1/24', '.pptp-pool');
			await window.type('pool', '192.168.1.200-192.168.1.220');
			await window.shows('overlaps with the network "lan"', '.pptp-pool');
			await window.shows('192.168.77.10-192.168.77.99', '.pptp-pool');
			await window.type('pool', '192.168.77.10-192.168.77.20');
			await window.page.waitForFunction(() => !document.querySelector('.pptp-pool .alert-message'));
		});
	},

	async 'a stopped server is said, and Start starts it'(browser) {
		await reset();
		await order('stop');
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.shows('does not run', '#pptp-state');
			await window.button('Start', '#pptp-state').click();
			await window.shows('The server runs', '#pptp-state');
		});
		assert((await order('state')).running);
	},

	async 'Start enables a server that is switched off'(browser) {
		await reset('config server \'main\'\n\toption enabled \'0\'\n');
		await order('stop');
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await Promise.all([
				window.page.waitForEvent('load', { timeout: 30000 }), window.button('Start', '#pptp-state').click()
			]);
			await window.shows('The server runs', '#pptp-state');
		});
		assert.equal((await sections('server'))[0].enabled, '1');
	},

	async 'two browsers: the second is told before it overwrites the first'(browser) {
		await reset();
		await inWindow(browser, 'root', async (first) => inWindow(browser, 'root', async (second) => {
			await first.open('settings');
			await second.open('settings');
			await change(first, 'addresses', 'mtu', '1301');
			await first.apply();
			await change(second, 'addresses', 'mtu', '1302');
			await second.page.locator('.cbi-page-actions .cbi-button-save').click();
			await second.shows('Somebody else', '.modal');
			assert.equal((await sections('server'))[0].mtu, '1301');
			await second.modalButton('Save mine nevertheless').click();
			await second.modalGone();
			await second.apply();
		}));
		assert.equal((await sections('server'))[0].mtu, '1302');
	},

	async 'a file without sections still gives a page'(browser) {
		await reset('\n');
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await change(window, 'addresses', 'mtu', '1300');
			await window.apply();
		});
		assert.equal((await sections('server'))[0].mtu, '1300');
	}
};
