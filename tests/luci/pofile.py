"""Reads po files, and the sentences of this package that need a translation."""

import ast
import glob
import json
import os
import re

CALL = re.compile(r"\b_\(\s*('(?:[^'\\]|\\.)*')\s*\)")
ENTRY = re.compile(r'^(msgid|msgstr) (".*")((?:\n".*")*)', re.M)


def unquote(first, rest):
    return ''.join(json.loads(line) for line in [first, *rest.split('\n')] if line)


def texts(path):
    """{sentence: translation} of a po file, without its header."""
    with open(path, encoding='utf-8') as file:
        found = [(kind, unquote(first, rest)) for kind, first, rest in ENTRY.findall(file.read())]
    return {found[at][1]: found[at + 1][1] for at in range(0, len(found), 2) if found[at][1]}


def keys(path):
    """The sentences of a template."""
    with open(path, encoding='utf-8') as file:
        found = [unquote(first, rest) for kind, first, rest in ENTRY.findall(file.read()) if kind == 'msgid']
    return [text for text in found if text]


def sentences(app):
    """{sentence: files that have it}: from the scripts, the menu and the access groups."""
    found = {}
    for path in sorted(glob.glob(os.path.join(app, 'htdocs/**/*.js'), recursive=True)):
        with open(path, encoding='utf-8') as file:
            for literal in CALL.findall(file.read()):
                found.setdefault(ast.literal_eval(literal), []).append(os.path.relpath(path, app))
    for path in sorted(glob.glob(os.path.join(app, 'root/usr/share/*/*/*.json'))):
        with open(path, encoding='utf-8') as file:
            for node in json.load(file).values():
                for key in ('title', 'description'):
                    if key in node:
                        found.setdefault(node[key], []).append(os.path.relpath(path, app))
    return found
