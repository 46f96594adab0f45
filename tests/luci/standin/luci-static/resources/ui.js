// Stand-in of LuCI's windows, messages and tables.
'use strict';
'require baseclass';
'require dom';

const modal = E('div', { id: 'modal_overlay', style: 'display:none' }, [ E('div', { class: 'modal', role: 'dialog' }) ]);

document.body.appendChild(modal);

class Table {
	constructor(captions, options, placeholder) {
		this.captions = captions;
		this.node = E('table', { id: options.id, class: 'table ' + (options.classes || '') });
		this.update([], placeholder);
	}

	update(rows, placeholder) {
		const head = E('tr', { class: 'tr table-titles' }, this.captions.map((text) => E('th', { class: 'th' }, [ text ])));
		const body = rows.map((row) => E('tr', { class: 'tr' }, row.map((cell, at) =>
			E('td', { class: 'td', 'data-title': this.captions[at] }, [ Array.isArray(cell) ? cell[1] : cell ]))));

		dom.content(this.node, [ head, ...body ]);

		if (!rows.length)
			this.node.appendChild(E('tr', { class: 'tr placeholder' }, [ E('td', { class: 'td' }, [ placeholder ]) ]));
	}

	render() {
		return this.node;
	}
}

return baseclass.extend({
	Table,

	instantiateView(name) {
		return L.require('view.' + name.replace(/\//g, '.')).then((view) => view.showStandin());
	},

	showModal(title, children, ...classes) {
		modal.firstChild.className = [ 'modal', ...classes ].join(' ');
		dom.content(modal.firstChild, [ E('h4', {}, [ title ]), ...children ]);
		modal.style.display = '';
		document.body.classList.add('modal-overlay-active');
	},

	hideModal() {
		modal.style.display = 'none';
		document.body.classList.remove('modal-overlay-active');
	},

	addNotification(title, children, style) {
		const node = E('div', { class: 'alert-message ' + (style || '') }, [ title ? E('h4', {}, [ title ]) : '', children ]);

		document.getElementById('maincontent').prepend(node);

		return node;
	},

	// A handler that locks its button until it is done.
	createHandlerFn(self, work, ...args) {
		return (ev) => {
			const button = ev.currentTarget;
			const handler = typeof(work) == 'function' ? work : self[work];

			button.disabled = true;

			return Promise.resolve(handler.apply(self, [ ...args, ev ]))
				.catch((error) => console.debug(error)).finally(() => { button.disabled = false; });
		};
	},

	changes: {
		apply() {
			return fetch(L.url('admin/uci/apply_unchecked'), { method: 'POST' }).then(() => window.location.reload());
		}
	}
});
