"""A stand-in for the running server: answers its ubus methods from a state that a test sets."""

import time


class Daemon:
    """Status, failures and disconnect of a server that is not there."""

    def __init__(self):
        self.running = True
        self.started = time.time()
        self.sessions = []
        self.failures = []
        self.unblocked = []
        self.zone_joined = True
        self.lan = {'problem': '', 'device': 'br-lan', 'up': True, 'address': '192.168.1.1', 'networks': ['192.168.1.0/24']}

    def start(self):
        self.running, self.started = True, time.time()

    def stop(self):
        self.running, self.sessions = False, []

    def reload(self):
        pass

    def end(self):
        pass

    def dial(self, session):
        defaults = {'id': 100 + len(self.sessions), 'name': 'alice', 'address': '192.168.77.10',
                    'peer': '203.0.113.7', 'mppe': '128 stateless', 'mtu': 1400, 'state': 'open', 'ipv6': '',
                    'lan': True, 'internet': True, 'callers': True, 'rate_up': 0, 'rate_down': 0, 'routes': [],
                    'rx_rate': 125000, 'tx_rate': 2500000, 'born': time.time()}
        self.sessions.append({**defaults, **session})

    def fail(self, failure):
        defaults = {'peer': '203.0.113.9', 'name': 'alice', 'cause': 'wrong_password', 'text': '', 'at': time.time()}
        self.failures.insert(0, {**defaults, **failure})

    def hang_up(self):
        for session in self.sessions:
            self.fail({'peer': session['peer'], 'name': session['name'], 'cause': 'cleared'})
        self.sessions = []

    def summary(self):
        return {'running': self.running, 'sessions': len(self.sessions), 'unblocked': self.unblocked}

    def shown(self, session):
        age = time.time() - session['born']
        keys = ('id', 'name', 'address', 'ipv6', 'peer', 'mppe', 'mtu', 'state', 'lan', 'internet', 'callers',
                'rate_up', 'rate_down', 'routes')
        counted = {}
        for way in ('rx', 'tx'):
            octets = int(session[way + '_rate'] * age)
            counted.update({way + '_bytes': octets, way + '_packets': octets // 900})
        return {**{key: session[key] for key in keys}, **counted,
                'since': int(session['born']), 'seconds': int(age)}

    def call(self, method, args):
        """The answer, or None for an unknown method."""
        return getattr(self, 'ubus_' + method, lambda args: None)(args)

    def ubus_status(self, _args):
        return {'version': '0.1.0', 'uptime': int(time.time() - self.started), 'listening': ['0.0.0.0:1723'],
                'device': 'pptps0', 'zone': 'lan', 'lan': self.lan, 'zone_joined': self.zone_joined,
                'pool': '192.168.77.10-192.168.77.99', 'max_sessions': 32,
                'leased': len(self.sessions), 'local_ip': '192.168.77.1',
                'discards': {'gre_duplicate': 3, 'gre_late': 0}, 'causes': {'wrong_password': 2},
                'sessions': [self.shown(session) for session in self.sessions]}

    def ubus_check(self, _args):
        return {'forwarding': True, 'dns': [{'address': '192.168.77.1', 'state': 'answers'}]}

    def ubus_failures(self, _args):
        now = time.time()
        return {'failures': [{'when': int(failure['at']), 'seconds': int(now - failure['at']),
                              **{key: failure[key] for key in ('peer', 'name', 'cause', 'text')}}
                             for failure in reversed(self.failures)]}

    def ubus_disconnect(self, args):
        gone = [session for session in self.sessions
                if session['id'] == args.get('id') or session['name'] == args.get('name')]
        self.sessions = [session for session in self.sessions if session not in gone]
        for session in gone:
            self.fail({'peer': session['peer'], 'name': session['name'], 'cause': 'disconnected'})
        return {'count': len(gone)} if gone else None

    def ubus_unblock(self, args):
        wanted = {key: args.get(key) for key in ('address', 'name')}
        if wanted in self.unblocked:
            return None
        self.unblocked.append(wanted)
        return {}

    def ubus_reload(self, _args):
        return {}
