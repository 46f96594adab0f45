// What all scenarios share: a browser window that is logged in, and orders to the router behind it.
'use strict';

const assert = require('assert');

const BASE = process.env.BRIDGE;
const SERVER_FILE = `
config server 'main'
	option enabled '1'

config user 'u_alice'
	option username 'alice'
	option nt_hash '44ebba8d5312b8d611474411f56989ae'

config user
	option username 'bob'
	option password 'hunter2'
	option ip '192.168.77.50'
`;

// Tells the router behind the page to be some way; gives its answer.
async function order(what, more) {
	const answer = await fetch(BASE + '/test', { method: 'POST', body: JSON.stringify({ do: what, ...more }) });

	return answer.json();
}

// A fresh router with the file above, and nobody connected.
async function reset(text) {
	await order('reset');
	await order('write', { config: 'pptp-server', text: text || SERVER_FILE });
}

// The sections of a type in the router's file.
async function sections(type) {
	return (await order('read', { config: 'pptp-server' })).filter((section) => section['.type'] == type);
}

class Window {
	constructor(browser, options) {
		Object.assign(this, { browser, options: { viewport: { width: 1280, height: 900 }, ...options }, errors: [] });
	}

	// LuCI leaves the refusal to save a wrong value uncaught, after it has shown it.
	note(message) {
		if (!message.includes('contains an invalid input value'))
			this.errors.push(message);
	}

	async login(name) {
		this.context = await this.browser.newContext(this.options);
		this.page = await this.context.newPage();
		this.page.setDefaultTimeout(15000);
		this.page.on('pageerror', (error) => this.note(error.message));
		this.page.on('dialog', (dialog) => this.errors.push('dialog ' + dialog.message()));
		await this.page.goto(BASE + '/cgi-bin/luci/admin/vpn/pptp-server/sessions');
		await this.page.fill('[name=luci_username]', name || 'root');
		await this.page.fill('[name=luci_password]', 'secret');
		await this.page.click('button');

		return this;
	}

	// Opens a page of the package and waits until it is there.
	async open(view, lang) {
		const path = view == 'overview' ? '/admin/status/overview' : '/admin/vpn/pptp-server/' + view;

		await this.page.goto(BASE + '/cgi-bin/luci' + path + (lang ? '?lang=' + lang : ''));
		await this.page.waitForSelector('#view > :not(.spinning)');
		await this.page.waitForSelector('#view .cbi-section, #view .cbi-map, #view h2');

		return this.page;
	}

	async text(selector) {
		return (await this.page.innerText(selector || '#view')).replace(/\s+/g, ' ');
	}

	async shows(text, selector) {
		await this.page.waitForFunction(([ wanted, place ]) => [ ...document.querySelectorAll(place) ].some((node) =>
			node.innerText.replace(/\s+/g, ' ').toLowerCase().includes(wanted.toLowerCase())), [ text, selector || '#view' ]);
	}

	// The first input of an option.
	field(name) {
		return this.page.locator(`[data-name="${name}"] input:not([type=hidden]), [data-name="${name}"] textarea, [data-name="${name}"] select`).first();
	}

	async tab(name) {
		await this.page.click(`.cbi-tabmenu [data-tab="${name}"] a`);
	}

	async type(name, value) {
		await this.field(name).fill(value);
		await this.field(name).dispatchEvent('keyup');
		await this.field(name).blur();
	}

	button(label, within) {
		return this.page.locator(`${within || '#view'} button:has-text("${label}")`).first();
	}

	modalButton(label) {
		return this.button(label, '.modal');
	}

	async modalGone() {
		await this.page.waitForFunction(() => !document.body.classList.contains('modal-overlay-active'));
	}

	// Save & Apply, until the page is there again.
	async apply() {
		await Promise.all([
			this.page.waitForEvent('load', { timeout: 30000 }),
			this.page.locator('.cbi-page-actions .cbi-button-apply, .cbi-page-actions [data-value="0"]').first().click()
		]);
		await this.page.waitForSelector('#view .cbi-map');
	}

	async close() {
		await this.context.close();
		assert.deepEqual(this.errors, []);
	}
}

// Runs `work` in a window of its own.
async function inWindow(browser, name, work, options) {
	const window = await new Window(browser, options).login(name);

	await work(window);
	await window.close();
}

module.exports = { BASE, SERVER_FILE, order, reset, sections, inWindow, Window };
