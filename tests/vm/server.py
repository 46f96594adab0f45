"""The server under test: its configuration file, its process, its log."""
import os
import re
import signal
import subprocess
import time

from check import expect
from machine import end_with_parent

ADDRESSES = ['10.99.0.254', '10.99.0.253']
GATEWAY = '192.168.77.1'
DNS = ['192.168.77.1', '192.168.77.2']
DEFAULTS = {'enabled': '1', 'listen': ADDRESSES, 'local_ip': GATEWAY, 'pool': '192.168.77.10-192.168.77.99', 'dns': DNS}
ALICE = {'username': 'alice', 'password': 'Tr0ub4dor-and-3'}
BOB = {'username': 'bob', 'password': 'correct-horse-9'}


class Server:
    def __init__(self, binary, folder):
        self.binary = binary
        self.file = f'{folder}/server.uci'
        self.log_file = f'{folder}/server.log'
        self.said_file = f'{folder}/server.said'
        self.process = None
        self.options = {}

    def start(self, users=(ALICE, BOB), **options):
        """A fresh process; options go beside DEFAULTS."""
        self.options = options
        self.configure(users)
        self._run('-c', self.file)
        for address in ADDRESSES:
            self.wait_log(f'listening on {re.escape(address)}:1723', 10)

    def start_unconfigured(self):
        """With the embedded defaults; gives what the server says on standard output."""
        self._run()
        self.wait_log('listening on .*:1723', 10)
        with open(self.said_file, encoding='utf-8') as said:
            return said.read()

    def _run(self, *arguments):
        with open(self.log_file, 'wb') as log, open(self.said_file, 'wb') as said:
            self.process = subprocess.Popen([self.binary, *arguments], stdin=subprocess.DEVNULL,
                                            stdout=said, stderr=log, preexec_fn=end_with_parent)

    def configuration(self, users):
        accounts = [section('user', {'enabled': '1', **user}) for user in users]
        return ''.join([section("server 'main'", {**DEFAULTS, **self.options}), *accounts])

    def configure(self, users):
        with open(self.file, 'w', encoding='utf-8', opener=private) as out:
            out.write(self.configuration(users))

    def reload(self, users):
        self.configure(users)
        self.process.send_signal(signal.SIGHUP)

    def status(self):
        """Its exit status; None while it runs."""
        return self.process.poll()

    def log(self):
        with open(self.log_file, encoding='utf-8', errors='replace') as log:
            return log.read()

    def wait_log(self, pattern, seconds):
        """Waits for a line of the log, case aside."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.log(), re.IGNORECASE):
            expect(self.status() is None, f'the server ended with status {self.status()}: {self.log()[-500:]}')
            expect(time.monotonic() < end, f'not in the server\'s log within {seconds} s: {pattern}')
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM, seconds=10):
        """Ends the process and tells how long that took."""
        start = time.monotonic()
        if self.running():
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - start

    def running(self):
        return self.process is not None and self.status() is None


def private(path, flags):
    return os.open(path, flags, 0o600)


def section(head, options):
    lines = [f'config {head}']
    for name, value in options.items():
        if isinstance(value, list):
            lines += [f'\tlist {name} {quoted(item)}' for item in value]
        else:
            lines.append(f'\toption {name} {quoted(value)}')
    return '\n'.join(lines) + '\n\n'


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"
