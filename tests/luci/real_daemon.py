#!/usr/bin/env python3
"""The real server in a network namespace, with callers that dial it: real_daemon.py BINARY CONFIG.

Takes one order as JSON on each line of its input and answers each with a line. The namespaces and
callers are those of tests/netns, the bus that of tests/ubus.
"""

import json
import os
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, 'ubus'), os.path.join(TESTS, 'netns')]

import bed  # noqa: E402  (found by the paths above)
import busbed  # noqa: E402
import busclient  # noqa: E402
import netns  # noqa: E402


class Server(busbed.Server):
    """The server with the file that the page writes."""

    def configure(self, text=None, **options):
        pass


class Real:
    """The bed and what is ordered there."""

    def __init__(self, binary, config, directory):
        self.site = bed.Bed(shutil.copy(binary, directory), directory)
        self.config, self.client, self.callers = config, None, {}
        self.site.tag = 'lu%d' % os.getpid()
        self.site.build()
        self.site.bus = busbed.Bus(self.site)
        self.site.bus.start()
        self.site.bus.start_netifd()

    def run(self, order):
        return getattr(self, 'do_' + order.pop('do'))(**order)

    def do_start(self):
        if self.running():
            return
        self.site.server = Server(self.site, text='')
        self.site.server.config = self.config
        self.site.server.start()
        self.client = busbed.meet(self.site)
        self.site.loop.until(lambda: self.do_call('status', {})['answer']['zone_joined'], 10, 'the zone')

    def running(self):
        return self.site.server is not None and self.site.server.alive()

    def do_running(self):
        return self.running()

    def do_stop(self):
        self.do_drop()
        if self.running():
            self.site.server.stop()

    def do_reload(self):
        if self.running():
            self.site.server.signal(signal.SIGHUP)
            self.site.loop.sleep(0.3)

    def do_call(self, method, args):
        try:
            return {'answer': self.client.call(busbed.OBJECT, method, **args)}
        except busclient.Refused as refused:
            return {'status': refused.status}

    # A caller by its place: c1 or c2.

    def do_dial(self, where, name, password):
        caller = self.callers[where] = self.site.caller(where, name, password=password)
        up = caller.attempt()
        if up:
            caller.open_tun()
        return {'up': up, 'address': caller.address if up else None}

    def do_ping(self, where):
        return self.site.ping(where, bed.GATEWAY, count=5, size=1000)

    def do_ended(self, where):
        """Why the call ended, once it did."""
        return self.site.loop.until(self.callers[where].finished, 10, 'the end of the call')

    def do_drop(self):
        for caller in list(self.callers.values()):
            caller.drop()
        self.callers = {}

    def demolish(self):
        self.site.bus.end()
        self.site.demolish()


def main():
    netns.die_with_parent()
    netns.remove_orphans('lu')
    with tempfile.TemporaryDirectory(prefix='pptp-luci-') as directory:
        real = Real(sys.argv[1], sys.argv[2], directory)
        try:
            serve(real)
        finally:
            real.demolish()


def serve(real):
    """Until the input ends; meanwhile callers answer the server."""
    orders = []
    real.site.loop.watch(sys.stdin.fileno(), lambda: orders.append(sys.stdin.readline()))
    print('ready', flush=True)
    while True:
        real.site.loop.turn(0.05)
        if orders:
            line = orders.pop(0)
            if not line:
                return
            print(json.dumps(answer(real, json.loads(line))), flush=True)


def answer(real, order):
    try:
        return {'result': real.run(order)}
    except Exception as error:
        return {'error': '%s: %s' % (type(error).__name__, error)}


if __name__ == '__main__':
    main()
