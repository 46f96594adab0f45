"""Named checks: registration, and the words in which they fail."""
CHECKS = {}


class Failed(Exception):
    """What was wrong, for the report line."""


class Skipped(Exception):
    """Why checks cannot run here."""


def check(function):
    """Enters a function of a bed under its own name."""
    CHECKS[function.__name__.replace('_', '-')] = function
    return function


def checks_of(*modules):
    """The checks of some modules, in that order, by name."""
    return {name: function for module in modules for name, function in CHECKS.items() if function.__module__ == module.__name__}


def expect(condition, why):
    if not condition:
        raise Failed(why)
