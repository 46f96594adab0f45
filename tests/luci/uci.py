"""UCI files as rpcd shows them: parsed, with changes staged per login until they are applied."""

import copy
import os
import shlex
import zlib


def parse(text):
    """The sections of a file in order: {'.type', '.name', '.anonymous', option: value or list}."""
    sections = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ['config']:
            named = len(words) > 2
            sections.append({'.type': words[1], '.name': words[2] if named else None, '.anonymous': not named})
        elif words[:1] == ['option']:
            sections[-1][words[1]] = words[2]
        elif words[:1] == ['list']:
            sections[-1].setdefault(words[1], []).append(words[2])
    return number(sections)


def number(sections):
    """Gives places to all sections, and to those without a name one that hangs on place and content, as UCI does."""
    for index, section in enumerate(sections):
        section['.index'] = index
        if section['.anonymous']:
            content = repr([(k, v) for k, v in section.items() if not k.startswith('.')] + [section['.type']])
            section['.name'] = 'cfg%02x%04x' % (index + 1, zlib.crc32(content.encode()) & 0xffff)
    return sections


def quote(value):
    return "'" + value.replace("'", "'\\''") + "'"


def show(sections):
    """The text of a file."""
    lines = []
    for section in sections:
        name = '' if section['.anonymous'] else ' ' + quote(section['.name'])
        lines.append('\nconfig %s%s' % (section['.type'], name))
        for key, value in section.items():
            if isinstance(value, list):
                lines += ['\tlist %s %s' % (key, quote(item)) for item in value]
            elif not key.startswith('.'):
                lines.append('\toption %s %s' % (key, quote(str(value))))
    return '\n'.join(lines) + '\n'


class NotFound(Exception):
    pass


class Store:
    """A folder of UCI files."""

    def __init__(self, folder):
        self.folder = folder
        self.staged = {}
        self.on_commit = lambda config: None

    def path(self, config):
        return os.path.join(self.folder, config)

    def committed(self, config):
        try:
            with open(self.path(config), encoding='utf-8') as file:
                return parse(file.read())
        except FileNotFoundError:
            raise NotFound(config) from None

    def sections(self, login, config):
        """What this login sees: the file with its own changes."""
        sections = self.committed(config)
        for change in self.staged.get((login, config), []):
            change_sections(sections, change)
        for index, section in enumerate(sections):
            section['.index'] = index
        return sections

    def stage(self, login, config, change):
        change_sections(self.sections(login, config), change)
        self.staged.setdefault((login, config), []).append(change)

    def changes(self, login):
        return {config: [list(map(str, change)) for change in changes]
                for (owner, config), changes in self.staged.items() if owner == login and changes}

    def all_changes(self):
        return {config: len(changes) for (_owner, config), changes in self.staged.items() if changes}

    def revert(self, login):
        for key in [key for key in self.staged if key[0] == login]:
            del self.staged[key]

    def apply(self, login):
        """Writes the changes of this login over what the files contain now."""
        changed = [config for owner, config in self.staged if owner == login]
        for config in changed:
            self.write(config, self.sections(login, config))
            del self.staged[(login, config)]
            self.on_commit(config)
        return changed

    def write(self, config, sections):
        with open(self.path(config), 'w', encoding='utf-8') as file:
            file.write(show(sections))


def change_sections(sections, change):
    kind, name, values = change
    if kind == 'add':
        sections.append({**copy.deepcopy(values), '.name': name, '.index': len(sections)})
        return
    section = next((section for section in sections if section['.name'] == name), None)
    if section is None:
        raise NotFound(name)
    if kind == 'set':
        section.update(copy.deepcopy(values))
    elif kind == 'delete' and values is None:
        sections.remove(section)
    elif kind == 'delete':
        for option in values:
            section.pop(option, None)
