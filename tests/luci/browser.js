// Runs the scenarios in Chromium; one line for each. browser.js KIND [WORD]: those for a stand-in of
// the server or for the real one, and of them only those with the word.
'use strict';

const { chromium } = require('playwright-core');

const FLAGS = [
	'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync'
];
const SCENARIOS = { standin: [ 'settings', 'accounts', 'networks', 'live', 'rights' ], real: [ 'real' ] };

async function run(browser, name, scenario) {
	try {
		await scenario(browser);
		console.log('ok ' + name);
	} catch (error) {
		console.log('FAIL %s: %s', name, error.stack.split("\n").slice(0, 12).join(' '));
	}

	for (const context of browser.contexts())
		await context.close();
}

async function main() {
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });

	for (const file of SCENARIOS[process.argv[2]])
		for (const [ name, scenario ] of Object.entries(require('./scenarios/' + file + '.js')))
			if (!process.argv[3] || (file + ' ' + name).includes(process.argv[3]))
				await run(browser, name, scenario);

	await browser.close();
}

main();
