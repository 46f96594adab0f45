// Stand-in of LuCI's menu: the tabs of this package.
'use strict';
'require baseclass';

return baseclass.extend({
	__init__() {
		fetch(L.url('admin/menu')).then((answer) => answer.json()).then((tree) => {
			const [ admin, vpn, name ] = L.env.dispatchpath;
			const node = tree.children[admin].children[vpn]?.children[name];
			const place = document.getElementById('tabmenu');

			if (!node)
				return;

			place.style.display = '';
			place.appendChild(E('ul', { class: 'tabs' }, Object.entries(node.children)
				.filter(([ , child ]) => child.satisfied && child.title).map(([ path, child ]) =>
					E('li', { class: L.env.dispatchpath[3] == path ? 'active' : '' }, [
						E('a', { href: L.url(admin, vpn, name, path) }, [ _(child.title) ])
					]))));
		});
	}
});
