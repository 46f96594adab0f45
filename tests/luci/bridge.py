#!/usr/bin/env python3
"""Serves the LuCI page without a router: files, the page around a view, ubus calls as JSON-RPC.

bridge.py PORT FOLDER [LUCI_TREE]; FOLDER has the UCI files. REAL_SERVER=BINARY: behind the page
is that server instead of a stand-in for it. Without a LuCI tree the views run on
the small stand-in of LuCI's client code in this folder. POST /test sets what the router is like.
"""

import html
import http.server
import json
import os
import re
import shutil
import signal
import socketserver
import sys
import urllib.parse

import pofile
import real_proxy
import standin_daemon
from router import DENIED, NO_OBJECT, Login, Router, load_acls
from uci import Store

HERE = os.path.dirname(os.path.abspath(__file__))
APP = os.path.join(HERE, '..', '..', 'luci', 'luci-app-pptp-server')
ACL = os.path.join(APP, 'root/usr/share/rpcd/acl.d/luci-app-pptp-server.json')
MENU = os.path.join(APP, 'root/usr/share/luci/menu.d/luci-app-pptp-server.json')
FULL, STATUS = 'luci-app-pptp-server', 'luci-app-pptp-server-status'
TYPES = {'.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png'}


def roots(tree):
    """Folders in which /luci-static is looked for, the first that has a file wins."""
    folders = [os.path.join(APP, 'htdocs')]
    if tree is None:
        return folders + [os.path.join(HERE, 'standin')]
    parts = ('modules/luci-base', 'modules/luci-mod-status', 'themes/luci-theme-bootstrap')
    return folders + [os.path.join(tree, part, 'htdocs') for part in parts]


def menu_tree(login):
    """The menu as LuCI's dispatcher builds it for a login, with only this package in it."""
    with open(MENU, encoding='utf-8') as file:
        nodes = json.load(file)
    tree = {'children': {'admin': {'satisfied': True, 'children': {'vpn': {
        'title': 'VPN', 'satisfied': True, 'order': 1, 'children': {}}}}}}
    for path, spec in nodes.items():
        node = tree
        for part in path.split('/'):
            node = node.setdefault('children', {}).setdefault(part, {'satisfied': True})
        groups = spec.get('depends', {}).get('acl', [])
        readable = all(group in login.groups for group in groups)
        node.update({**spec, 'satisfied': readable, 'readonly': not login.write})
        if not readable:
            node.pop('title', None)
    return tree


class Bridge(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = 'HTTP/1.1'
    router = tree = make_daemon = None

    def log_message(self, *_args):
        pass

    def reply(self, status, body=b'', kind='text/html', headers=()):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in (('Content-Type', kind + '; charset=utf-8'), ('Content-Length', str(len(body))),
                            ('Cache-Control', 'no-store'), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def reply_json(self, value, status=200):
        self.reply(status, json.dumps(value), 'application/json')

    def session(self):
        found = re.search(r'sysauth=(\w+)', self.headers.get('Cookie', ''))
        return found.group(1) if found else None

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path.startswith('/luci-static/'):
            return self.file(url.path)
        if url.path.startswith('/cgi-bin/luci'):
            return self.page(url.path[len('/cgi-bin/luci'):].strip('/'), urllib.parse.parse_qs(url.query))
        return self.reply(404)

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        path = urllib.parse.urlparse(self.path).path
        if path.startswith('/ubus'):
            return self.ubus(json.loads(body))
        if path == '/test':
            return self.reply_json(self.test(json.loads(body)))
        if path.endswith('/admin/uci/apply_rollback') or path.endswith('/admin/uci/apply_unchecked'):
            return self.apply(path)
        if path.endswith('/admin/uci/confirm'):
            return self.reply_json({})
        if path.endswith('/admin/uci/revert'):
            return self.reply_json(self.router.store.revert(self.session()))
        return self.sign_in(urllib.parse.parse_qs(body.decode()))

    def file(self, path):
        for root in roots(self.tree):
            name = os.path.join(root, os.path.normpath(path).lstrip('/'))
            if os.path.isfile(name):
                with open(name, 'rb') as file:
                    return self.reply(200, file.read(), TYPES.get(os.path.splitext(name)[1], 'text/plain'))
        return self.reply(404)

    def sign_in(self, fields):
        sid = self.router.login(fields.get('luci_username', [''])[0], fields.get('luci_password', [''])[0])
        if sid is None:
            return self.reply(403, login_page('Wrong name or password.'))
        return self.reply(302, headers=(('Location', self.path), ('Set-Cookie', 'sysauth=%s; path=/' % sid)))

    def apply(self, path):
        changed = self.router.store.apply(self.session())
        if not changed or path.endswith('unchecked'):
            return self.reply(204)
        return self.reply_json({'token': 'x'})

    def page(self, path, query):
        login = self.router.sessions.get(self.session())
        if path.startswith('admin/translations/'):
            return self.reply(200, translations(path.split('/')[-1]), 'text/javascript')
        if login is None:
            return self.reply(403, login_page(''))
        if path == 'admin/menu':
            return self.reply_json(menu_tree(login))
        return self.reply(200, self.view(path, query.get('lang', ['en'])[0], login))

    def view(self, path, lang, login):
        view = 'status/index' if path == 'admin/status/overview' else path[len('admin/vpn/'):]
        parts = path.split('/')
        env = {'media': '/luci-static/bootstrap', 'resource': '/luci-static/resources', 'scriptname': '/cgi-bin/luci',
               'pathinfo': '/' + path, 'documentroot': '/www', 'requestpath': parts, 'dispatchpath': parts,
               'pollinterval': 1, 'ubuspath': '/ubus/', 'sessionid': self.session(), 'token': 'x',
               'nodespec': {'satisfied': True, 'readonly': not login.write},
               'apply_rollback': 30, 'apply_holdoff': 1, 'apply_timeout': 5, 'apply_display': 0.5}
        return PAGE % {'lang': lang, 'page': '-'.join(parts), 'env': json.dumps(env).replace('/', '\\/'),
                       'view': html.escape(view), 'menu': 'menu-bootstrap' if self.tree else 'menu'}

    def ubus(self, requests):
        many = isinstance(requests, list)
        answers = [self.answer(request) for request in (requests if many else [requests])]
        self.reply_json(answers if many else answers[0])

    def answer(self, request):
        frame = {'jsonrpc': '2.0', 'id': request.get('id')}
        if request.get('method') != 'call':
            return {**frame, 'result': {}}
        sid, name, method, args = request['params']
        result = self.router.call(sid, name, method, args)
        if result == [DENIED]:
            return {**frame, 'error': {'code': -32002, 'message': 'Access denied'}}
        if result == [NO_OBJECT]:
            return {**frame, 'error': {'code': -32000, 'message': 'Object not found'}}
        return {**frame, 'result': result}

    def test(self, order):
        """Sets or reads what the router is like: {do: name, ...}."""
        router, what = self.router, order.pop('do')
        if what in ('dial', 'fail'):
            return getattr(router.daemon, what)(order)
        if what in ('start', 'stop', 'hang_up'):
            return getattr(router.daemon, what)()
        if what == 'keep':
            shutil.copy(router.store.path('pptp-server'), router.store.path('kept'))
        elif what == 'reset':
            router.reset(self.make_daemon())
        elif what in ('ping', 'ended', 'drop'):
            return router.daemon.order(what, **order)
        elif what == 'wan':
            router.networks[2]['ipv4-address'][0]['address'] = order['address']
        elif what == 'write':
            with open(router.store.path(order['config']), 'w', encoding='utf-8') as file:
                file.write(order['text'])
        elif what == 'read':
            return router.store.committed(order['config'])
        elif what == 'service':
            router.services[order['name']] = order['running']
        return {**router.daemon.summary(), 'log': router.log, 'staged': router.store.all_changes()}


def translations(lang):
    """A script that gives LuCI the sentences of a language, by the hashes that it looks for."""
    path = os.path.join(APP, 'po', lang, 'pptp-server.po')
    texts = pofile.texts(path) if os.path.exists(path) else {}
    return ('document.addEventListener("readystatechange", () => {});'
            'window.TR = {}; window.PPTP_TEXTS = %s;' % json.dumps(texts))


def login_page(message):
    return LOGIN % html.escape(message)


LOGIN = '''<!DOCTYPE html><html><head><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css"></head><body><div class="container">
<form method="post"><p>%s</p><input name="luci_username"><input name="luci_password" type="password">
<button>Log in</button></form></div></body></html>'''

PAGE = '''<!DOCTYPE html><html lang="%(lang)s"><head><meta charset="utf-8"><title>router</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css">
<link rel="stylesheet" media="only screen and (max-device-width: 854px)" href="/luci-static/bootstrap/mobile.css">
<script src="/cgi-bin/luci/admin/translations/%(lang)s"></script>
<script src="/luci-static/resources/cbi.js"></script>
<script>for (const text in window.PPTP_TEXTS) window.TR[sfh(text)] = window.PPTP_TEXTS[text];</script>
</head><body class="lang_%(lang)s" data-page="%(page)s">
<header><a class="brand" href="/">router</a><ul class="nav" id="topmenu" style="display:none"></ul>
<div id="indicators" class="pull-right"></div></header>
<div id="maincontent" class="container"><div id="tabmenu" style="display:none"></div>
<script src="/luci-static/resources/luci.js?v=1"></script>
<script>L = new LuCI(%(env)s);</script>
<div id="view"><div class="spinning"></div>
<script>L.require('ui').then((ui) => ui.instantiateView('%(view)s'));</script></div></div>
<footer><ul class="breadcrumb pull-right" id="modemenu" style="display:none"></ul></footer>
<script>L.require('%(menu)s')</script></body></html>'''


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A browser that closes a window in the middle of an answer is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    allow_reuse_address = True


def daemon_maker(folder):
    """A function that gives a server as it is at the start."""
    binary = os.environ.get('REAL_SERVER')
    if not binary:
        return standin_daemon.Daemon
    real = real_proxy.Daemon(binary, os.path.join(folder, 'pptp-server'))

    def fresh():
        real.stop()
        return real
    return fresh


def main():
    port, folder = int(sys.argv[1]), sys.argv[2]
    logins = {'root': ('secret', Login([FULL, STATUS], True)), 'reader': ('secret', Login([FULL, STATUS], False)),
              'guest': ('secret', Login([STATUS], False))}
    Bridge.tree = sys.argv[3] if len(sys.argv) > 3 else None
    Bridge.make_daemon = staticmethod(daemon_maker(folder))
    Bridge.router = Router(Store(folder), Bridge.make_daemon(), load_acls(ACL), logins)
    Bridge.router.store.on_commit = lambda config: Bridge.router.reload(config)
    server = Server(('127.0.0.1', port), Bridge)
    print('serving on port %d' % server.server_address[1], flush=True)
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit())
    try:
        server.serve_forever()
    finally:
        Bridge.router.daemon.end()


if __name__ == '__main__':
    main()
