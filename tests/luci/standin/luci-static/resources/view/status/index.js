// Stand-in of LuCI's overview page: the parts that packages add to it.
'use strict';
'require view';
'require view.status.include.80_pptp-server as part';

return view.extend({
	load() {
		return part.load();
	},

	render(data) {
		return E('div', { class: 'cbi-section' }, [ E('h3', {}, [ part.title ]), part.render(data) || '' ]);
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
