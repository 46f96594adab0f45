// A small graph of the traffic of all callers in the style of LuCI's own: the last minutes, from
// callers and to callers.
'use strict';
'require baseclass';
'require pptp-server.words as words';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 150;
const SAMPLES = 120;
const SERIES = [ [ 'rx', 'blue' ], [ 'tx', 'green' ] ];

function svg(tag, attributes, children) {
	const node = document.createElementNS(SVG, tag);

	Object.entries(attributes).forEach(([ name, value ]) => node.setAttribute(name, value));
	(children || []).forEach((child) => node.appendChild(child));

	return node;
}

function line(y) {
	return svg('line', { x1: 0, y1: y, x2: WIDTH, y2: y, stroke: 'currentColor', 'stroke-width': 0.3 });
}

// Labels are not part of the stretched drawing: their letters would be stretched with it.
function label(part) {
	return E('small', { style: 'position:absolute;left:5px;bottom:%d%%'.format(part * 100) });
}

// The next round number of bits per second above a rate of bytes, so that the scale does not jump
// with each sample.
function ceiling(rate) {
	const bits = Math.max(rate * 8, 8000);
	const power = 10 ** Math.floor(Math.log10(bits));

	return [ 1, 2, 4, 8, 10, 20 ].find((step) => step * power > bits) * power / 8;
}

return baseclass.extend({
	__init__() {
		this.samples = [];
		this.area = {};
		this.labels = [ 0.25, 0.5, 0.75 ].map((part) => [ part, label(part) ]);

		const shapes = SERIES.map(([ name, colour ]) => (this.area[name] = svg('polygon', {
			fill: colour, 'fill-opacity': 0.35, stroke: colour, 'stroke-width': 1
		})));

		this.node = svg('svg', {
			viewBox: '0 0 %d %d'.format(WIDTH, HEIGHT), width: '100%', height: HEIGHT,
			preserveAspectRatio: 'none', style: 'display:block', role: 'img', 'aria-label': _('Traffic of all callers')
		}, [ ...shapes, ...this.labels.map(([ part ]) => line(HEIGHT * (1 - part))) ]);
	},

	// Adds the rates of one moment, in bytes per second.
	push(rx, tx) {
		this.samples.push({ rx, tx });
		this.samples.splice(0, this.samples.length - SAMPLES);

		const top = ceiling(Math.max(...this.samples.flatMap((sample) => [ sample.rx, sample.tx ])));

		SERIES.forEach(([ name ]) => this.area[name].setAttribute('points', this.points(name, top)));
		this.labels.forEach(([ part, text ]) => { text.textContent = words.rate(top * part); });
	},

	// The outline of one series: the newest sample stands at the right edge.
	points(name, top) {
		const step = WIDTH / (SAMPLES - 1);
		const start = WIDTH - step * (this.samples.length - 1);
		const tops = this.samples.map((sample, at) =>
			(start + at * step).toFixed(1) + ',' + (HEIGHT * (1 - sample[name] / top)).toFixed(1));

		return [ start.toFixed(1) + ',' + HEIGHT, ...tops, WIDTH + ',' + HEIGHT ].join(' ');
	},

	render() {
		return E('div', { class: 'cbi-section' }, [
			E('div', { style: 'position:relative;border:1px solid rgba(128,128,128,.5)' },
				[ this.node, ...this.labels.map(([ , text ]) => text) ]),
			E('p', {}, [
				E('strong', { style: 'border-bottom:2px solid blue' }, [ _('From callers') ]), ' ',
				E('strong', { style: 'border-bottom:2px solid green' }, [ _('To callers') ])
			])
		]);
	}
});
