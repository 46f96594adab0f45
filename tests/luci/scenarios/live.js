// The pages with connections and problems, and the overview's part.
'use strict';

const assert = require('assert');
const { order, reset, inWindow } = require('./common.js');

const EVIL = '<img src=x onerror=window.pwned=1>';

async function checkState(window, title) {
	const place = window.page.locator('#pptp-checks .pptp-row', { has: window.page.locator('strong', { hasText: title }) });

	return place.getAttribute('data-check');
}

module.exports = {
	async 'a connection appears with its rates, without a reload'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('sessions');
			await window.shows('Nobody is connected');
			await order('dial', { name: 'alice', rx_rate: 125000, tx_rate: 2500000 });
			await window.shows('192.168.77.10', '#pptp-sessions');
			await window.shows('MPPE 128 stateless', '#pptp-sessions');
			await window.page.waitForFunction(() => /(1\.0|99\d\.\d|100\d\.\d) [MK]bit\/s/.test(document.querySelector('#pptp-sessions').innerText));
			await window.page.waitForFunction(() => /(19\.9|20\.\d) Mbit\/s/.test(document.querySelector('#pptp-sessions').innerText));
			assert.match(await window.page.locator('#view svg polygon').first().getAttribute('points'), /^\d/);
		});
	},

	async 'Disconnect asks first and then disconnects'(browser) {
		await reset();
		await order('dial', { name: 'alice' });
		await order('dial', { name: 'bob', address: '192.168.77.50' });
		await inWindow(browser, 'root', async (window) => {
			await window.open('sessions');

			const button = window.page.locator('#pptp-sessions tr', { hasText: 'alice' }).locator('button');

			await button.click();
			await window.shows('Disconnect "alice"', '.modal');
			await window.modalButton('Cancel').click();
			await window.modalGone();
			assert.equal((await order('state')).sessions, 2);
			await button.click();
			await window.modalButton('Disconnect').click();
			await window.modalGone();
			await window.page.waitForFunction(() => !document.querySelector('#pptp-sessions').innerText.includes('alice'));
		});
		assert.equal((await order('state')).sessions, 1);
	},

	async 'a connection that is gone already cannot be disconnected, which is said'(browser) {
		await reset();
		await order('dial', { name: 'alice' });
		await inWindow(browser, 'root', async (window) => {
			await window.open('sessions');
			await window.page.locator('#pptp-sessions button').first().click();
			await window.shows('Disconnect "alice"', '.modal');
			await order('hang_up');
			await window.modalButton('Disconnect').click();
			await window.shows('Could not disconnect', '#maincontent .alert-message');
			await window.modalGone();
		});
	},

	async 'an unencrypted connection is marked'(browser) {
		await reset();
		await order('dial', { name: 'alice', mppe: '' });
		await inWindow(browser, 'root', async (window) => {
			await window.open('sessions');
			await window.shows('none', '#pptp-sessions [data-badge=bad]');
		});
	},

	async 'names of strangers never become HTML'(browser) {
		await reset();
		await order('dial', { name: EVIL, mppe: EVIL, address: EVIL });
		await order('fail', { name: EVIL, peer: EVIL, cause: EVIL, text: EVIL });
		await inWindow(browser, 'root', async (window) => {
			for (const view of [ 'sessions', 'failures', 'accounts', 'settings', 'overview' ]) {
				await window.open(view);
				await window.page.waitForTimeout(800);
				assert.equal(await window.page.evaluate(() => window.pwned), undefined, view);
				assert.equal(await window.page.locator('img[src=x]').count(), 0, view);
			}

			await window.open('sessions');
			await window.page.locator('#pptp-sessions button').first().click();
			await window.shows(EVIL, '.modal');
			assert.equal(await window.page.evaluate(() => window.pwned), undefined);
		});
	},

	async 'every cause is shown in plain words with a remedy'(browser) {
		await reset();

		for (const cause of JSON.parse(process.env.CAUSES))
			await order('fail', { cause, text: 'UNTRANSLATED' });

		await inWindow(browser, 'root', async (window) => {
			await window.open('failures');

			const few = await window.page.locator('#pptp-failures .pptp-row').count();

			await window.page.check('#pptp-all', { force: true });
			await window.page.waitForFunction((count) => document.querySelectorAll('#pptp-failures .pptp-row').length > count, few);
			assert.equal(await window.page.locator('#pptp-failures .pptp-row').count(), JSON.parse(process.env.CAUSES).length);
			assert(!(await window.text('#pptp-failures')).includes('UNTRANSLATED'));
		});
	},

	async 'failed logins are counted, and Unblock unblocks address and account'(browser) {
		await reset();
		await order('fail', { cause: 'no_gre', peer: '203.0.113.7' });

		for (let count = 0; count < 3; count++)
			await order('fail', { cause: 'wrong_password', peer: '203.0.113.8', name: 'alice' });

		await inWindow(browser, 'root', async (window) => {
			await window.open('failures');
			await window.shows('blocks IP protocol 47', '#pptp-failures');
			await window.shows('3 failed logins in a row', '#pptp-failures');
			await window.button('Unblock', '#pptp-failures').click();
			await window.shows('may log in again', '#maincontent');
			await window.button('Unblock', '#pptp-failures').click();
			await window.shows('has to wait', '#maincontent .alert-message');
		});
		assert.deepEqual((await order('state')).unblocked, [ { address: '203.0.113.8', name: 'alice' } ]);
	},

	async 'the self-check follows the router'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('failures');
			assert.equal(await window.page.locator('#pptp-checks [data-check=unknown]').count(), 0);
			assert.equal(await checkState(window, 'GRE (IP protocol 47)'), 'good');
			assert.equal(await checkState(window, 'reached from the Internet'), 'good');
			await order('wan', { address: '100.70.1.1' });
			await order('service', { name: 'pptpd', running: true });
			await order('stop');
			await window.button('Check again').click();
			await window.shows('CGNAT', '#pptp-checks');
			assert.equal(await checkState(window, 'No other PPTP server'), 'bad');
			assert.equal(await checkState(window, 'GRE (IP protocol 47)'), 'bad');
			assert.equal(await checkState(window, 'The server runs'), 'bad');
			await window.button('Start', '#pptp-checks').click();
			await window.shows('It listens on', '#pptp-checks');
		});
	},

	async 'the overview page shows who is connected'(browser) {
		await reset();
		await order('dial', { name: 'alice' });
		await inWindow(browser, 'root', async (window) => {
			await window.open('overview');
			await window.shows('PPTP callers');
			await window.shows('192.168.77.10');
		});
	},

	async 'a stopped server is said on every page'(browser) {
		await reset();
		await order('stop');
		await inWindow(browser, 'root', async (window) => {
			for (const view of [ 'settings', 'sessions', 'failures' ]) {
				await window.open(view);
				await window.shows('does not run');
			}

			await window.open('accounts');
			await window.shows('alice');
		});
	}
};
