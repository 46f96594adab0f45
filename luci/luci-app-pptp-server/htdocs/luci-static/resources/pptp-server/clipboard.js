// Copying text, also on routers that are reached without https, where browsers have no clipboard
// for pages.
'use strict';
'require baseclass';

function copyOld(text) {
	const area = E('textarea', { style: 'position:fixed;opacity:0' });

	area.value = text;
	(document.querySelector('.modal') || document.body).appendChild(area);
	area.select();

	const done = document.execCommand('copy');

	area.remove();

	return done ? Promise.resolve() : Promise.reject(new Error('refused'));
}

function copy(text) {
	if (window.isSecureContext && navigator.clipboard)
		return navigator.clipboard.writeText(text).catch(() => copyOld(text));

	return copyOld(text);
}

return baseclass.extend({
	// A button that copies what `text` returns and says so.
	button(text) {
		const node = E('button', { type: 'button', class: 'btn cbi-button' }, [ _('Copy') ]);

		node.addEventListener('click', (ev) => {
			ev.preventDefault();
			copy(text()).then(() => _('Copied'), () => _('Mark it and copy by hand'))
				.then((label) => { node.textContent = label; });
			window.setTimeout(() => { node.textContent = _('Copy'); }, 3000);
		});

		return node;
	}
});
