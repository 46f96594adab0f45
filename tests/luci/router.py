"""The router behind the page: the ubus objects that LuCI asks, with the access rules of rpcd."""

import copy
import fnmatch
import json
import secrets

from uci import NotFound

# ubus status codes; the last one stands for an object that is not there.
OK, NOT_FOUND, DENIED, NO_OBJECT = 0, 4, 6, -1
# Everything that luci-base itself grants to a login.
BASE = {
    'read': {'ubus': {'uci': ['changes', 'get'], 'file': ['list'], 'luci': ['getFeatures'], 'session': ['access'],
                      'luci-rpc': ['*'], 'network.wireless': ['*']},
             'uci': ['system', 'luci']},
    'write': {'ubus': {'uci': ['add', 'apply', 'confirm', 'delete', 'order', 'rename', 'set']}},
}
NETWORKS = [
    {'interface': 'loopback', 'device': 'lo', 'up': True, 'ipv4-address': [{'address': '127.0.0.1', 'mask': 8}]},
    {'interface': 'lan', 'device': 'br-lan', 'up': True, 'ipv4-address': [{'address': '192.168.1.1', 'mask': 24}]},
    {'interface': 'wan', 'device': 'eth1', 'up': True, 'ipv4-address': [{'address': '198.51.100.20', 'mask': 24}],
     'route': [{'target': '0.0.0.0', 'mask': 0, 'nexthop': '198.51.100.1'}]},
]
RULES = [
    {'name': 'pptp', 'src': 'wan', 'proto': 'tcp', 'dest_port': '1723', 'target': 'ACCEPT'},
    {'name': 'gre', 'src': 'wan', 'proto': 'gre', 'target': 'ACCEPT'},
]


class Login:
    """Who is logged in: the groups of access rules, each to read and perhaps to write."""

    def __init__(self, groups, write):
        self.groups = groups
        self.write = write

    def granted(self, acls):
        """Pairs of rights, those of luci-base first."""
        for group in [BASE] + [acls[name] for name in self.groups if name in acls]:
            yield group.get('read', {})
            if self.write:
                yield group.get('write', {})

    def may_call(self, acls, name, method):
        return any(fnmatch.fnmatch(method, pattern) for rights in self.granted(acls)
                   for known, methods in rights.get('ubus', {}).items() if known == name for pattern in methods)

    def may_config(self, acls, config, write):
        groups = [BASE] + [acls[name] for name in self.groups if name in acls]
        kinds = ('write',) if write else ('read',)
        if write and not self.write:
            return False
        return any(config in group.get(kind, {}).get('uci', []) for group in groups for kind in kinds)


class Router:
    """Answers ubus calls: {object: {method: function}}."""

    def __init__(self, store, daemon, acls, logins):
        self.store, self.acls, self.logins = store, acls, logins
        self.reset(daemon)

    def reset(self, daemon):
        """As at the start."""
        self.daemon, self.sessions, self.log = daemon, {}, []
        self.networks = copy.deepcopy(NETWORKS)
        self.services = {'dnsmasq': True, 'pptpd': False}
        self.modules = ['tun', 'nf_conntrack']
        self.store.staged.clear()

    def reload(self, config):
        """What procd does after a change: tells the server, or starts it when it is enabled."""
        server = [section for section in self.store.committed(config) if section['.type'] == 'server']
        if config != 'pptp-server':
            return
        if self.daemon.running:
            self.daemon.reload()
        elif server and server[0].get('enabled') == '1':
            self.daemon.start()

    def login(self, name, password):
        """A new session, or None."""
        known = self.logins.get(name)
        if known is None or known[0] != password:
            return None
        sid = secrets.token_hex(16)
        self.sessions[sid] = known[1]
        return sid

    def call(self, sid, name, method, args):
        """[code, answer]; the code 6 stands for what rpcd refuses."""
        login = self.sessions.get(sid)
        self.log.append([name, method, args])
        if name == 'session' and method == 'access' and login:
            return [OK, {'access': self.access(login, args)}]
        if login is None or not login.may_call(self.acls, name, method):
            return [DENIED]
        try:
            return self.dispatch(sid, login, name, method, args)
        except NotFound:
            return [NOT_FOUND]

    def access(self, login, args):
        if args.get('scope') == 'uci':
            return login.may_config(self.acls, args['object'], args.get('function') == 'write')
        return login.may_call(self.acls, args.get('object'), args.get('function'))

    def dispatch(self, sid, login, name, method, args):
        if name == 'pptp-server':
            if not self.daemon.running:
                return [NO_OBJECT]
            answer = self.daemon.call(method, args)
            return [OK, answer] if answer is not None else [NOT_FOUND]
        if name == 'uci':
            return self.uci(sid, login, method, args)
        known = {('rc', 'list'): self.rc_list, ('rc', 'init'): self.rc_init,
                 ('service', 'get_data'): self.service_data, ('file', 'list'): self.file_list,
                 ('network.interface', 'dump'): lambda args: {'interface': self.networks},
                 ('luci', 'getFeatures'): lambda args: {}}
        handler = known.get((name, method))
        return [OK, handler(args)] if handler else [OK, {}]

    def rc_list(self, args):
        running = {**self.services, 'pptp-server': self.daemon.running}
        return {name: {'start': 50, 'enabled': True, 'running': up} for name, up in running.items()
                if args.get('name') in (None, name) and (up or name != 'pptpd')}

    def rc_init(self, args):
        if args.get('name') == 'pptp-server' and args.get('action') in ('start', 'restart'):
            self.daemon.start()
        return {}

    def service_data(self, args):
        rules = RULES if self.daemon.running else []
        return {args['name']: {'*': {'firewall': rules}}} if rules else {}

    def file_list(self, args):
        names = self.modules if args.get('path') == '/sys/module' else []
        if str(args.get('path')).endswith('/view/status/include'):
            return {'entries': [{'name': '80_pptp-server.js', 'type': 'file'}]}
        return {'entries': [{'name': name, 'type': 'directory'} for name in names]}

    def uci(self, sid, login, method, args):
        config = args.get('config')
        if method == 'changes':
            return [OK, {'changes': self.store.changes(sid)}]
        if method in ('apply', 'confirm'):
            self.store.apply(sid)
            return [OK]
        if not login.may_config(self.acls, config, method != 'get'):
            return [DENIED]
        return getattr(self, 'uci_' + method)(sid, config, args)

    def uci_get(self, sid, config, _args):
        sections = self.store.sections(sid, config)
        return [OK, {'values': {section['.name']: section for section in sections}}]

    def uci_add(self, sid, config, args):
        name = args.get('name')
        values = {'.type': args['type'], '.anonymous': name is None, **(args.get('values') or {})}
        self.store.stage(sid, config, ('add', name or 'cfg' + secrets.token_hex(3), values))
        return [OK, {'section': name}]

    def uci_set(self, sid, config, args):
        self.store.stage(sid, config, ('set', args['section'], args['values']))
        return [OK]

    def uci_delete(self, sid, config, args):
        self.store.stage(sid, config, ('delete', args['section'], args.get('options')))
        return [OK]

    def uci_order(self, _sid, _config, _args):
        return [OK]


def load_acls(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)
