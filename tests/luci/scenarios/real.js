// The page with the real server behind it, and real calls.
'use strict';

const assert = require('assert');
const { order, reset, inWindow } = require('./common.js');

const EMPTY = 'config server \'main\'\n\toption enabled \'1\'\n\toption backoff_failures \'3\'\n';
const BOB = EMPTY + '\nconfig user\n\toption username \'bob\'\n\toption password \'bob-Pass1\'\n';

// Adds an account on the page and applies it; gives the generated password.
async function addAccount(window, name) {
	await window.open('accounts');
	await window.button('Add account').click();
	await window.page.waitForSelector('.modal [data-name="username"]');

	const input = window.page.locator('.modal [data-name="username"] input');

	await input.fill(name);
	await input.dispatchEvent('keyup');
	await input.blur();
	await window.modalButton('Generate').click();

	const made = await window.page.innerText('.modal .pptp-fresh');

	await window.page.locator('.modal .cbi-button-positive').click();
	await window.shows('How to dial in', '.modal h4');
	await window.modalButton('Close').click();
	await window.modalGone();
	await window.apply();

	return made;
}

async function dial(name, password, where) {
	return order('dial', { where: where || 'c1', name, password });
}

module.exports = {
	async 'real server: an account made on the page dials in, shows, is disconnected'(browser) {
		await reset(EMPTY);
		await order('start');
		await inWindow(browser, 'root', async (window) => {
			const made = await addAccount(window, 'carol "the first" #1');
			const call = await dial('carol "the first" #1', made);

			assert(call.up, 'the call did not come about');
			await window.open('sessions');
			await window.shows('carol "the first" #1', '#pptp-sessions');
			await window.shows(call.address, '#pptp-sessions');
			await window.shows('203.0.113.11', '#pptp-sessions');
			await window.shows('MPPE 128 stateless', '#pptp-sessions');

			const pinged = await order('ping', { where: 'c1' });

			assert.equal(pinged.received, pinged.sent);
			await window.page.waitForFunction(() => /\d KiB/.test(document.querySelector('#pptp-sessions').innerText));
			await window.open('accounts');
			await window.shows(call.address, '[data-online]');
			await window.open('sessions');
			await window.page.locator('#pptp-sessions button').first().click();
			await window.modalButton('Disconnect').click();
			await window.modalGone();
			await window.shows('Nobody is connected');
			await order('ended', { where: 'c1' });
			await window.open('failures');
			await window.page.check('#pptp-all', { force: true });
			await window.shows('Disconnected on this router', '#pptp-failures');
		});
	},

	async 'real server: wrong passwords are told, the caller waits, Unblock lets it in'(browser) {
		await reset(BOB);
		await order('start');

		for (let count = 0; count < 4; count++)
			assert(!(await dial('bob', 'wrong')).up);

		assert(!(await dial('bob', 'bob-Pass1')).up, 'nobody had to wait');
		await inWindow(browser, 'root', async (window) => {
			await window.open('failures');
			await window.shows('Wrong password', '#pptp-failures');
			await window.shows('Too many failed logins', '#pptp-failures');
			await window.shows('account "bob"', '#pptp-failures');
			await window.button('Unblock', '#pptp-failures').click();
			await window.shows('may log in again', '#maincontent');
			assert((await dial('bob', 'bob-Pass1')).up, 'Unblock did not help');
			await window.button('Unblock', '#pptp-failures').click();
			await window.shows('has to wait', '#maincontent .alert-message');
		});
	},

	async 'real server: disabling the account on the page ends its call'(browser) {
		await reset(BOB);
		await order('start');
		assert((await dial('bob', 'bob-Pass1')).up);
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await window.page.locator('#view .cbi-section-table input[type=checkbox]').first().uncheck({ force: true });
			await window.apply();
			await order('ended', { where: 'c1' });
			assert(!(await dial('bob', 'bob-Pass1', 'c2')).up);
			await window.open('failures');
			await window.shows('The account is disabled', '#pptp-failures');
		});
	},

	async 'real server: Start, and the self-check agrees'(browser) {
		await reset(BOB);
		await inWindow(browser, 'root', async (window) => {
			await window.open('settings');
			await window.button('Start', '#pptp-state').click();
			await window.shows('The server runs', '#pptp-state');
			await window.open('failures');

			for (const title of [ 'The server runs', 'Somebody may dial in', 'Callers are in their firewall zone' ])
				await window.page.locator('#pptp-checks .pptp-row[data-check=good]', {
					has: window.page.locator('strong', { hasText: title })
				}).waitFor({ timeout: 45000 });
		});
	}
};
