// A word on a coloured ground: green, yellow or red. LuCI's themes have no red label of their own.
'use strict';
'require baseclass';

const KINDS = {
	good: { class: 'label success' },
	note: { class: 'label warning' },
	bad: { class: 'label', style: 'background:#c62828;color:#fff' },
	unknown: { class: 'label' }
};

return baseclass.extend({
	make(kind, text, title) {
		return E('span', { ...KINDS[kind], 'data-badge': kind, title: title || null }, [ text ]);
	}
});
