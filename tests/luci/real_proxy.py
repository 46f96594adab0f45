"""The real server as the bridge sees it: orders go to real_daemon.py, one at a time."""

import json
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


class Daemon:
    """The same names as the stand-in's."""

    def __init__(self, binary, config):
        command = [sys.executable, os.path.join(HERE, 'real_daemon.py'), binary, config]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.process.stdout.readline()

    def order(self, what, **more):
        with self.lock:
            self.process.stdin.write(json.dumps({'do': what, **more}) + '\n')
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        if 'error' in answer:
            raise RuntimeError(answer['error'])
        return answer['result']

    @property
    def running(self):
        return self.order('running')

    def start(self):
        return self.order('start')

    def stop(self):
        return self.order('stop')

    def reload(self):
        return self.order('reload')

    def call(self, method, args):
        """The answer, or None when the server knows no such thing."""
        # LuCI adds an argument of its own to every call.
        result = self.order('call', method=method, args={**args, 'ubus_rpc_session': 'x'})
        return result['answer'] if 'answer' in result else None

    def dial(self, order):
        return self.order('dial', **order)

    def summary(self):
        return {'running': self.running}

    def end(self):
        self.process.stdin.close()
        self.process.wait()
