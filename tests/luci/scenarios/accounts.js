// The page with the accounts.
'use strict';

const assert = require('assert');
const load = require('../load.js');
const { order, reset, sections, inWindow, SERVER_FILE } = require('./common.js');

const nthash = load('pptp-server.nthash');
// Names that break careless programs, and that are allowed.
const NAMES = [
	'with two words', 'quote\'and"double', '#hash ;semi $x `y`', 'Юлия Ж', '山田', '😀', 'x'.repeat(128),
	'<img src=x onerror=window.pwned=1>', '&lt;img src=x onerror=window.pwned=1&gt;', '%s %h %d'
];

async function fillName(window, name) {
	await window.page.locator('.modal [data-name="username"] input').fill(name);
	await window.page.locator('.modal [data-name="username"] input').dispatchEvent('keyup');
	await window.page.locator('.modal [data-name="username"] input').blur();
}

function passwordInput(window) {
	return window.page.locator('.modal [data-name="nt_hash"] input').first();
}

async function openNew(window) {
	await window.button('Add account').click();
	await window.page.waitForSelector('.modal [data-name="username"]');
}

async function save(window) {
	await window.page.locator('.modal .cbi-button-positive').click();
}

// Adds an account with a generated password; gives the password.
async function add(window, name) {
	await openNew(window);
	await fillName(window, name);
	await window.modalButton('Generate').click();

	const made = await window.page.innerText('.modal .pptp-fresh');

	await save(window);
	await window.shows('How to dial in', '.modal h4');
	await window.modalButton('Close').click();
	await window.modalGone();

	return made;
}

async function refused(window, name, words) {
	await openNew(window);
	await fillName(window, name);
	await window.modalButton('Generate').click();
	await save(window);
	await window.page.waitForTimeout(300);

	const input = window.page.locator('.modal [data-name="username"] input');

	assert(await input.evaluate((node) => node.classList.contains('cbi-input-invalid')), name);
	await window.modalButton('Dismiss').click();
	await window.modalGone();
	assert.equal(await window.page.locator('#view .cbi-section-table .cbi-button-edit').count(), 2, words);
}

function row(window, name) {
	return window.page.locator('#view .cbi-section-table tr', { hasText: name }).first();
}

module.exports = {
	async 'an added account has the hash of the generated password, which is shown once'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await openNew(window);
			await fillName(window, 'carol');
			await window.modalButton('Generate').click();

			const made = await window.page.innerText('.modal .pptp-fresh');

			assert.match(made, /^[2-9A-Za-z]{20}$/);
			await save(window);
			await window.shows(made, '.modal pre');
			await window.shows('home.example.net', '.modal pre');
			await window.modalButton('Close').click();
			await window.modalGone();
			assert(!(await window.page.content()).includes(made), 'the password is still in the page');
			await row(window, 'carol').locator('button:has-text("How to dial in")').click();
			await window.shows('carol', '.modal pre');
			assert(!(await window.page.content()).includes(made), 'the password is shown again');
			await window.modalButton('Close').click();
			await window.apply();
			assert(!(await window.page.content()).includes(made));

			const carol = (await sections('user')).find((account) => account.username == 'carol');

			assert.equal(carol.nt_hash, nthash.hash(made));
			assert.equal(carol.password, undefined);
			assert.match(carol['.name'], /^user_[0-9a-f]{8}$/);
			assert(!JSON.stringify(await order('state')).includes(made), 'the password went to the router');
		});
	},

	async 'odd names are kept letter by letter and never become HTML'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');

			for (const name of NAMES)
				await add(window, name);

			await window.apply();

			for (const name of NAMES)
				await window.shows(name.slice(0, 40).replace(/\s+/g, ' '));

			assert.equal(await window.page.evaluate(() => window.pwned), undefined);
			assert.equal(await window.page.locator('#view img[src=x], .modal img[src=x]').count(), 0);
		});

		const saved = (await sections('user')).map((account) => account.username);

		NAMES.forEach((name) => assert(saved.includes(name), name));
		await order('keep');
	},

	async 'impossible names are refused'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await refused(window, '', 'empty');
			await refused(window, 'DOMAIN\\user', 'backslash');
			await refused(window, 'y'.repeat(200), '200 letters');
			await refused(window, 'Ж'.repeat(65), '130 octets');
			await refused(window, ' alice', 'blank in front');
			await refused(window, 'alice', 'taken');
		});
		assert.equal((await order('state')).staged['pptp-server'], undefined);
	},

	async 'a new account needs a password; an old one keeps its own'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await openNew(window);
			await fillName(window, 'dora');
			await save(window);
			await window.page.waitForSelector('.modal [data-name="nt_hash"] .cbi-input-invalid');
			await window.modalButton('Dismiss').click();
			await window.modalGone();
			await row(window, 'alice').locator('.cbi-button-edit').click();
			await window.page.waitForSelector('.modal [data-name="username"]');
			assert.equal(await passwordInput(window).inputValue(), '');
			await fillName(window, 'alice2');
			await save(window);
			await window.modalGone();
			await window.apply();
		});

		const alice = (await sections('user'))[0];

		assert.deepEqual([ alice.username, alice.nt_hash ], [ 'alice2', '44ebba8d5312b8d611474411f56989ae' ]);
	},

	async 'a password that was typed into a dismissed window is forgotten'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await row(window, 'alice').locator('.cbi-button-edit').click();
			await window.page.waitForSelector('.modal [data-name="username"]');
			await fillName(window, 'bob');
			await window.modalButton('Generate').click();
			await save(window);
			await window.page.waitForSelector('.modal [data-name="username"] .cbi-input-invalid');
			await window.modalButton('Dismiss').click();
			await window.modalGone();
			await window.page.locator('.cbi-page-actions .cbi-button-save').click();
			await window.page.waitForTimeout(700);
		});
		assert.deepEqual((await order('state')).staged, {});
	},

	async 'a weak or reused password is said'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await openNew(window);
			await fillName(window, 'eve');
			await passwordInput(window).fill('hunter2');
			await passwordInput(window).dispatchEvent('keyup');
			await passwordInput(window).blur();
			await window.shows('Weak', '.pptp-verdict');
			await window.shows('The account "bob" has the same password', '.pptp-verdict');
			await window.modalButton('Generate').click();
			await window.shows('Strong', '.pptp-verdict');
		});
	},

	async 'fixed addresses: bad ones and those of others are refused'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await row(window, 'alice').locator('.cbi-button-edit').click();

			const input = window.page.locator('.modal [data-name="ip"] input');

			for (const value of [ '192.168.77.50', '192.168.77.1', '192.168.1.120', '127.0.0.1', '1.2.3', 'x' ]) {
				await input.fill(value);
				await input.dispatchEvent('keyup');
				await input.blur();
				assert(await input.evaluate((node) => node.classList.contains('cbi-input-invalid')), value);
			}

			await input.fill('192.168.77.51');
			await input.dispatchEvent('keyup');
			await input.blur();
			await save(window);
			await window.modalGone();
			await window.apply();
		});
		assert.equal((await sections('user'))[0].ip, '192.168.77.51');
	},

	async 'what an account may do: wrong values are refused, and only what was changed is written'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await row(window, 'alice').locator('.cbi-button-edit').click();
			await window.page.click('.modal .cbi-tabmenu [data-tab="rights"] a');
			await window.page.locator('.modal [data-name="lan"] input[type=checkbox]').uncheck({ force: true });

			await window.page.click('.modal .cbi-tabmenu [data-tab="limits"] a');

			const input = window.page.locator('.modal [data-name="rate_up"] input');

			for (const [ value, isRight ] of [ [ 'x', false ], [ '-1', false ], [ '10000001', false ], [ '512', true ] ]) {
				await input.fill(value);
				await input.dispatchEvent('keyup');
				await input.blur();
				assert.equal(await input.evaluate((node) => node.classList.contains('cbi-input-invalid')), !isRight, value);
			}

			await save(window);
			await window.modalGone();
			await window.apply();
		});

		const [ alice ] = await sections('user');
		const { lan, rate_up: rate } = alice;

		assert.deepEqual([ lan, rate ], [ '0', '512' ]);
		[ 'internet', 'callers', 'rate_down', 'route', 'hours', 'idle_timeout' ].forEach((name) => assert(!(name in alice), name));
	},

	async 'an account is disabled and deleted; the other stays as it was'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await row(window, 'alice').locator('input[type=checkbox]').uncheck({ force: true });
			await window.apply();
			assert.equal((await sections('user'))[0].enabled, '0');
			await row(window, 'alice').locator('.cbi-button-remove').click();
			await window.page.waitForFunction(() => !document.querySelector('#view .cbi-section-table').innerText.includes('alice'));
			await window.apply();
		});

		const left = await sections('user');

		assert.deepEqual(left.map((account) => [ account.username, account.password, account.ip ]), [ [ 'bob', 'hunter2', '192.168.77.50' ] ]);
	},

	async 'two browsers adding the same name: the second is told'(browser) {
		await reset();
		await inWindow(browser, 'root', async (first) => inWindow(browser, 'root', async (second) => {
			await first.open('accounts');
			await second.open('accounts');
			await add(first, 'carol');
			await first.apply();
			await openNew(second);
			await fillName(second, 'carol');
			await second.modalButton('Generate').click();
			await save(second);
			await second.shows('Somebody else', '.modal');
			await Promise.all([ second.page.waitForEvent('load'), second.modalButton('Show what is there now').click() ]);
			await second.shows('carol');
		}));
		assert.equal((await sections('user')).filter((account) => account.username == 'carol').length, 1);
	},

	async 'passwords in clear text are turned into hashes on request'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await window.shows('readable in the file');
			assert(!(await window.page.content()).includes('hunter2'));
			await window.button('Store hashes instead').click();
			await window.shows('Done');
			await window.apply();
		});

		const bob = (await sections('user')).find((account) => account.username == 'bob');

		assert.deepEqual([ bob.password, bob.nt_hash ], [ undefined, nthash.hash('hunter2') ]);
	},

	async 'accounts of pptpd are imported'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await window.button('Import accounts').click();
			await window.shows('the example that pptpd came with', '.modal');
			await window.modalButton('Import').click();
			await window.shows('Done');
			await window.apply();
			await window.shows('frank');
		});

		const frank = (await sections('user')).find((account) => account.username == 'frank');

		assert.deepEqual([ frank.nt_hash, frank.ip ], [ nthash.hash('old secret'), '192.168.77.60' ]);
		assert(!(await sections('user')).some((account) => account.username == 'youruser'));
	},

	async 'who is online shows without a reload'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await order('dial', { name: 'alice', address: '192.168.77.33' });
			await window.shows('192.168.77.33', '[data-online]');
			await order('hang_up');
			await window.shows('last seen', '[data-online]');
		});
	},

	async 'instructions warn of an address that cannot be dialled'(browser) {
		await reset();
		await inWindow(browser, 'root', async (window) => {
			for (const [ wan, words ] of [ [ '100.64.3.4', 'CGNAT' ], [ '10.0.0.2', 'private' ] ]) {
				await order('wan', { address: wan });
				await window.open('accounts');
				await row(window, 'alice').locator('button:has-text("How to dial in")').click();
				await window.shows(words, '.modal .alert-message');
			}
		});
	},

	async 'accounts that share a name in the file are told apart'(browser) {
		await reset(SERVER_FILE + '\nconfig user\n\toption username \'alice\'\n\toption nt_hash \'00ebba8d5312b8d611474411f56989ae\'\n');
		await inWindow(browser, 'root', async (window) => {
			await window.open('accounts');
			await window.shows('twice');
		});
	}
};
