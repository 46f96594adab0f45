"""What passes outside of the tunnel: recorded by dumpcap, read by tshark."""
import signal
import subprocess
import time

from check import expect
from machine import end_with_parent

OUTER = 'wan'


class Capture:
    """Records the server's WAN side while a `with` block runs."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.process = subprocess.Popen(['dumpcap', '-q', '-P', '-i', OUTER, '-w', self.path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
        said = ''
        for line in self.process.stderr:
            said += line
            if line.startswith('File:'):  # from now on nothing is missed
                return self
        raise RuntimeError(f'dumpcap: {said}')

    def __exit__(self, *_):
        time.sleep(0.5)  # dumpcap reads in blocks
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        self.process.stderr.close()

    def count(self, display_filter):
        """Packets that pass a display filter of Wireshark."""
        done = subprocess.run(['tshark', '-n', '-r', self.path, '-Y', display_filter, '-T', 'fields', '-e', 'frame.number'],
                              capture_output=True, text=True)
        expect(done.returncode == 0, f'tshark: {done.stderr.strip()[-300:]}')
        return len(done.stdout.splitlines())

    def expect_some(self, display_filter):
        expect(self.count(display_filter), f'no packet in {self.path} is {display_filter}')

    def expect_none(self, display_filter):
        count = self.count(display_filter)
        expect(count == 0, f'{count} packets in {self.path} are {display_filter}')
