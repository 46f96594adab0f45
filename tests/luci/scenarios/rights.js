// Logins with fewer rights, other languages, small screens.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { order, reset, inWindow, SERVER_FILE } = require('./common.js');

const VIEWS = [ 'settings', 'accounts', 'sessions', 'failures', 'overview' ];
const PHONE = { viewport: { width: 390, height: 800 }, screen: { width: 390, height: 800 }, isMobile: true };

async function busy() {
	await reset(SERVER_FILE.replace("option ip '192", "option lan '0'\n\toption rate_up '512'\n\tlist hours 'mon-fri 08:00-22:00'\n\toption ip '192"));
	await order('dial', { name: 'alice', ipv6: 'fd12:3456:789a:77:1234:5678:9abc:def0', internet: false, rate_down: 20000, routes: [ '10.9.0.0/16' ] });
	await order('dial', { name: 'a name that is rather long for a phone', address: '192.168.77.50', peer: '198.51.100.177' });
	await order('fail', { cause: 'no_gre' });
	await order('fail', { cause: 'wrong_password', name: 'x'.repeat(128) });
}

async function shoot(window, view, kind) {
	await window.page.screenshot({ path: path.join(process.env.SHOTS, kind + '-' + view + '.png'), fullPage: true });
}

async function width(window) {
	return window.page.evaluate(() => document.documentElement.scrollWidth);
}

// Every tab of the settings and of an account's window.
async function tabs(window, kind, most) {
	for (const [ view, scope ] of [ [ 'settings', '#view' ], [ 'accounts', '.modal' ] ]) {
		await window.open(view);

		if (view == 'accounts')
			await window.page.locator('#view .cbi-button-edit').first().click();

		await window.page.waitForSelector(scope + ' .cbi-tabmenu');

		for (const item of await window.page.locator(scope + ' .cbi-tabmenu [data-tab]').all()) {
			await item.locator('a').click();
			await shoot(window, view + '-' + await item.getAttribute('data-tab'), kind);
			assert(await width(window) <= most, view);
		}
	}
}

// LuCI lets a login that may only read open an account, but change nothing in it.
async function looksOnly(window) {
	const edit = window.page.locator('#view .cbi-button-edit:not([disabled])').first();

	if (!await edit.count())
		return;

	await edit.click();
	await window.page.waitForSelector('.modal [data-name="username"]');
	assert.equal(await window.page.locator('.modal button:not([disabled]):not(:has-text("Dismiss")):not(:has-text("∗"))').count(), 0);
	assert.equal(await window.page.locator('.modal [data-name="username"] input:not([disabled])').count(), 0);
}

module.exports = {
	async 'a login without the right to write sees no button that fails'(browser) {
		await busy();
		await inWindow(browser, 'reader', async (window) => {
			await window.open('sessions');
			await window.shows('alice');
			assert.equal(await window.page.locator('#view button').count(), 0);
			await window.open('failures');
			await window.shows('blocks IP protocol 47');
			assert.equal(await window.page.locator('#pptp-failures button').count(), 0);
			await window.open('accounts');
			assert.equal(await window.page.locator('#view button:not([disabled]):not(:has-text("How to dial in")):not(:has-text("Edit"))').count(), 0);
			await looksOnly(window);
			await order('stop');
			await window.open('settings');
			await window.shows('does not run', '#pptp-state');
			assert.equal(await window.page.locator('#pptp-state button').count(), 0);
			assert.equal(await window.page.locator('.cbi-page-actions button:not([disabled])').count(), 0);
			await window.open('failures');
			assert.equal(await window.page.locator('#pptp-checks button').count(), 0);
		});
	},

	async 'a login for the status alone cannot read accounts, and its pages work'(browser) {
		await busy();
		await inWindow(browser, 'guest', async (window) => {
			await window.open('sessions');
			await window.shows('alice');
			assert.deepEqual((await window.text('#tabmenu')).trim().split(' '), [ 'Connections', 'Problems' ]);
			await window.open('failures');
			await window.shows('Cannot be read with this login', '#pptp-checks');
			assert.equal(await window.page.locator('#view button:not(:has-text("Check again"))').count(), 0);
			await window.open('overview');
			await window.shows('192.168.77.10');

			const answer = await window.page.evaluate(() => fetch('/ubus/', { method: 'POST', body: JSON.stringify({
				jsonrpc: '2.0', id: 1, method: 'call', params: [ L.env.sessionid, 'uci', 'get', { config: 'pptp-server' } ]
			}) }).then((reply) => reply.json()));

			assert(answer.error, 'the status group may read passwords');

			for (const view of [ 'settings', 'accounts' ]) {
				await window.open(view).catch(() => null);
				assert(!(await window.page.content()).includes('44ebba8d'));
			}
		});
	},

	async 'pages speak the language of the browser'(browser) {
		await busy();
		await inWindow(browser, 'root', async (window) => {
			for (const [ lang, words ] of [ [ 'de', 'Verbindungen' ], [ 'ru', 'Подключения' ], [ 'zh_Hans', '连接' ], [ 'es', 'Conexiones' ] ]) {
				await window.open('sessions', lang);
				await window.shows(words, 'h2');
			}
		});
	},

	async 'no page is wider than a phone'(browser) {
		await busy();
		await inWindow(browser, 'root', async (window) => {
			for (const view of VIEWS) {
				await window.open(view);
				await window.page.waitForTimeout(view == 'sessions' ? 4000 : 800);
				await shoot(window, view, 'phone');
				assert(await width(window) <= 390, view);
			}

			await window.open('accounts');
			await window.button('How to dial in').click();
			await window.shows('How to dial in', '.modal h4');
			await window.page.waitForTimeout(700);
			await shoot(window, 'instructions', 'phone');
			assert(await width(window) <= 390, 'instructions');
			await tabs(window, 'phone', 390);
		}, PHONE);
	},

	async 'every page on a desktop'(browser) {
		await busy();
		await inWindow(browser, 'root', async (window) => {
			for (const view of VIEWS) {
				await window.open(view);
				await window.page.waitForTimeout(view == 'sessions' ? 4000 : 800);
				await shoot(window, view, 'desktop');
				assert(await width(window) <= 1280, view);
			}

			await window.open('accounts');
			await window.button('Add account').click();
			await window.modalButton('Generate').click();
			await window.page.waitForTimeout(700);
			await shoot(window, 'new-account', 'desktop');
			assert(fs.existsSync(path.join(process.env.SHOTS, 'desktop-new-account.png')));
			await tabs(window, 'desktop', 1280);
		});
	}
};
