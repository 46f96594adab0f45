"""One event loop for the whole bed: sockets, TUNs and timers of every caller, in one thread."""
import heapq
import itertools
import selectors
import time


class TooLate(Exception):
    """What a test waited for did not come in time."""


class Timer:
    def __init__(self, when, fn):
        self.when, self.fn = when, fn

    def cancel(self):
        self.fn = None


class Loop:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.heap = []
        self.order = itertools.count()

    def watch(self, fd, fn):
        self.selector.register(fd, selectors.EVENT_READ, fn)

    def forget(self, fd):
        try:
            self.selector.unregister(fd)
        except (KeyError, ValueError):
            pass                    # closed twice is closed

    def after(self, seconds, fn):
        timer = Timer(time.monotonic() + seconds, fn)
        heapq.heappush(self.heap, (timer.when, next(self.order), timer))
        return timer

    def fire(self):
        while self.heap and self.heap[0][0] <= time.monotonic():
            timer = heapq.heappop(self.heap)[2]
            if timer.fn:
                timer.fn()

    def turn(self, wait):
        if self.heap:
            wait = min(wait, max(0, self.heap[0][0] - time.monotonic()))
        for key, _ in self.selector.select(wait):
            key.data()
        self.fire()

    def until(self, condition, timeout, what):
        """Runs the bed until `condition()` is true and returns its value."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            left = deadline - time.monotonic()
            if left <= 0:
                raise TooLate(f"{what}: not within {timeout} s")
            self.turn(min(left, 0.05))

    def sleep(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.turn(left)

    def stays(self, condition, seconds, what):
        """The opposite of `until`: `condition()` must remain true for the whole time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not condition():
                raise AssertionError(what)
            self.turn(0.02)
