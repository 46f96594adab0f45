"""Scenarios and their checks: the register, the lines that are printed, the counts."""
import contextlib
import importlib
import os
import sys
import time
import traceback

SCENARIOS = {}


class Skip(Exception):
    """This check cannot run here, and why."""


class Scenario:
    def __init__(self, function, options):
        self.function, self.options = function, options
        self.name = function.__name__.replace("_", "-")
        self.about = (function.__doc__ or "").strip().splitlines()[0]


def scenario(serve=True, **options):
    """Registers a function of (bed, check). The server is started for it with these options,
    unless `serve` is False."""
    def register(function):
        found = Scenario(function, options if serve else None)
        SCENARIOS[found.name] = found
        return function
    return register


def load(directory):
    for file in sorted(os.listdir(directory)):
        if file.endswith(".py") and not file.startswith("_"):
            importlib.import_module(f"scenarios.{file[:-3]}")


class Suite:
    def __init__(self, bed):
        self.bed, self.prefix = bed, ""
        self.passed = self.failed = self.skipped = 0

    def say(self, verdict, name, why=""):
        print(f"{verdict} {self.prefix}{name}{': ' + why if why else ''}", flush=True)

    @contextlib.contextmanager
    def check(self, name):
        """One check: fails by any exception, and by anything the callers found wrong meanwhile."""
        self.note = ""
        try:
            yield self
            self.verdict(name)
        except Skip as reason:
            self.skipped += 1
            self.say("skip", name, str(reason))
        except Exception as error:
            self.fail(name, error)
        finally:
            self.bed.problems.clear()

    def verdict(self, name):
        if self.bed.problems:
            raise AssertionError("; ".join(self.bed.problems[:5]))
        self.passed += 1
        self.say("ok", name, self.note)

    def fail(self, name, error):
        self.failed += 1
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__} "
        seen = [p for p in self.bed.problems[:5] if p not in str(error)]
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.say("FAIL", name, f"{kind}{error}{''.join(f'; {p}' for p in seen)} "
                               f"({os.path.basename(where.filename)}:{where.lineno})")
        if self.bed.server and os.path.exists(self.bed.server.log_path):
            print(f"    log: {self.bed.server.tail()}", flush=True)

    def run(self, found):
        self.prefix = f"{found.name}/"
        began = time.monotonic()
        try:
            if found.options is not None:
                self.bed.serve(**found.options)
            found.function(self.bed, self.check)
            self.goodbye()
        except Exception as error:
            self.fail("run", error)
        finally:
            self.bed.clean()
            self.bed.server = None
            self.bed.problems.clear()
        if "-v" in sys.argv:
            print(f"    {found.name} took {time.monotonic() - began:.1f} s", flush=True)

    def goodbye(self):
        """After every scenario the server must still be there and end well."""
        server = self.bed.server
        if not server or not server.process or server.process.returncode is not None:
            return
        if not server.alive():
            raise AssertionError(f"the server died with {server.process.returncode}")
        status = server.stop()
        if status or "panicked" in server.log():
            raise AssertionError(f"the server ended with status {status}")
        if self.bed.problems:
            raise AssertionError("at the end: " + "; ".join(self.bed.problems[:5]))

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0
