"""One line per check, and the count at the end."""

import time


class Report:
    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}
        self.start = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.start

    def say(self, verdict, name, why=""):
        self.counts[verdict] += 1
        print(f"{verdict} {name}" + (f": {why}" if why else ""), flush=True)

    def check(self, name, good, why=""):
        """True is `ok`; anything else fails, with `why` as the reason."""
        self.say("ok", name) if good else self.say("FAIL", name, why or "not so")
        return bool(good)

    def equal(self, name, found, expected):
        return self.check(name, found == expected, f"found {found!r}, expected {expected!r}")

    def skip(self, name, why):
        self.say("skip", name, why)

    def finish(self):
        passed, failed, skipped = self.counts.values()
        print(f"{passed} passed, {failed} failed, {skipped} skipped")
        return 1 if failed else 0
