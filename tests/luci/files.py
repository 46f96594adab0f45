"""Checks of the package's files: JSON, access rights, translations, lists that agree with the server."""

import glob
import json
import os
import re
import subprocess

import pofile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
APP = os.path.join(ROOT, 'luci', 'luci-app-pptp-server')
LANGUAGES = ('de', 'es', 'ru', 'zh_Hans')
# Objects whose methods could do more than this page needs.
FORBIDDEN = {'file': ('exec', 'write', 'remove'), 'system': '*', 'service': ('set', 'add', 'delete'), 'session': '*'}
PLACEHOLDER = re.compile(r'%(?:\.?\d+)?[a-z%]')


def read(*parts):
    with open(os.path.join(*parts), encoding='utf-8') as file:
        return file.read()


def scripts():
    return sorted(glob.glob(os.path.join(APP, 'htdocs/**/*.js'), recursive=True))


def page_lists():
    """The options and causes that the page knows."""
    done = subprocess.run(['node', os.path.join(HERE, 'units.js'), '--lists'], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def server_options():
    """{section: {option: default}} of the server, from its table."""
    text = read(ROOT, 'src/config/options.rs')
    sections = {}
    for name, body in re.findall(r'pub const (SERVER|USER): &\[Row\] = &\[(.*?)\n\];', text, re.S):
        sections[name.lower()] = dict(re.findall(r'name: "(\w+)",.*?default: "([^"]*)"', body, re.S))
    return sections


def server_ranges():
    """{option: [smallest, largest]} of the server's numbers that are written as digits."""
    rows = re.findall(r'name: "(\w+)",\s*field: Field::Number\((\w+), ([\w:]+), ', read(ROOT, 'src/config/options.rs'))
    return {name: [int(low), int(high)] for name, low, high in rows if high.isdigit()}


def check_json():
    problems = []
    for path in glob.glob(os.path.join(APP, 'root/**/*.json'), recursive=True):
        try:
            json.loads(read(path), object_pairs_hook=no_doubles)
        except ValueError as error:
            problems.append('%s: %s' % (os.path.basename(path), error))
        if os.stat(path).st_mode & 0o022:
            problems.append(path + ' may be written by others: rpcd refuses such a file')
    return problems


def no_doubles(pairs):
    keys = [key for key, _value in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError('a key stands twice')
    return dict(pairs)


def check_acl():
    groups = json.loads(read(APP, 'root/usr/share/rpcd/acl.d/luci-app-pptp-server.json'))
    problems = [] if len(groups) == 2 else ['there are %d groups' % len(groups)]
    for name, group in groups.items():
        for rights in (group.get('read', {}), group.get('write', {})):
            problems += ['%s has rights on files' % name for kind in rights if kind not in ('ubus', 'uci')]
            for thing, methods in rights.get('ubus', {}).items():
                bad = FORBIDDEN.get(thing, ())
                problems += ['%s: %s.%s' % (name, thing, method) for method in methods
                             if '*' in method or bad == '*' or method in bad]
    status = groups['luci-app-pptp-server-status']
    if 'uci' in status.get('read', {}) or 'write' in status:
        problems.append('the status group can do more than look')
    if list(groups['luci-app-pptp-server']['write']['uci']) != ['pptp-server']:
        problems.append('the full group writes files of others')
    return problems


def check_menu():
    menu = json.loads(read(APP, 'root/usr/share/luci/menu.d/luci-app-pptp-server.json'))
    groups = json.loads(read(APP, 'root/usr/share/rpcd/acl.d/luci-app-pptp-server.json'))
    problems = []
    for path, node in menu.items():
        problems += ['%s: no group %s' % (path, name) for name in node['depends'].get('acl', []) if name not in groups]
        view = node['action'].get('path')
        if view and not os.path.exists(os.path.join(APP, 'htdocs/luci-static/resources/view', view + '.js')):
            problems.append('%s: no view %s' % (path, view))
    return problems


def differences(what, ours, theirs):
    return (['%s %s: not in the server' % (what, name) for name in ours if name not in theirs] +
            ['%s %s: not in the page' % (what, name) for name in theirs if name not in ours])


def check_options():
    page, server = page_lists()['server'], server_options()['server']
    return differences('option', [row['name'] for row in page], server) + check_rows(page, server)


def check_rows(page, server):
    ranges, problems = server_ranges(), []
    for row in page:
        if server.get(row['name'], row['default']) != row['default']:
            problems.append('%s: default %r here, %r there' % (row['name'], row['default'], server[row['name']]))
        if row['name'] in ranges and ranges[row['name']] != [row.get('min'), row.get('max')]:
            problems.append('%s: from %s here, %s there' % (row['name'], [row.get('min'), row.get('max')], ranges[row['name']]))
    return problems


def check_user_options():
    """Options of accounts that the scripts read or write by name."""
    text = ''.join(read(path) for path in scripts() if 'accounts' in path or 'password' in path or 'importer' in path)
    known = server_options()['user']
    used = set(re.findall(r"uci\.(?:get|set|unset)\(CONFIG, [^,]+, '(\w+)'", text))
    used |= set(re.findall(r"\[ ((?:'\w+', )+'\w+') \]\.forEach\(\(name\) => this\['add'", text)[0].replace("'", '').split(', '))
    used = {name for name in used if not name.startswith('_')}
    rights = page_lists()['user']
    used |= {row['name'] for row in rights}
    return differences('option', sorted(used), known) + check_rows(rights, known)


def check_causes():
    body = re.search(r'\n    Cause \{(.*?)\n    \}', read(ROOT, 'src/reason.rs'), re.S).group(1)
    return differences('cause', page_lists()['causes'], re.findall(r'^\s+\w+ "(\w+)"', body, re.M))


def check_template():
    wanted = pofile.sentences(APP)
    known = pofile.keys(os.path.join(APP, 'po/templates/pptp-server.pot'))
    return (['missing: %r' % text for text in wanted if text not in known] +
            ['no longer used: %r' % text for text in known if text not in wanted])


def check_language(lang):
    wanted = pofile.sentences(APP)
    texts = pofile.texts(os.path.join(APP, 'po', lang, 'pptp-server.po'))
    problems = ['not translated: %r' % text for text in wanted if not texts.get(text)]
    problems += ['no longer used: %r' % text for text in texts if text not in wanted]
    for text, translated in texts.items():
        if PLACEHOLDER.findall(text) != PLACEHOLDER.findall(translated):
            problems.append('other placeholders: %r' % text)
    return problems


def check_html():
    """No way to turn text into HTML; the other half of this is a rule of ESLint."""
    words = ('innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'rawhtml', 'DOMParser', 'eval(', 'fs.exec', 'dom.parse')
    return ['%s: %s' % (os.path.basename(path), word) for path in scripts() for word in words if word in read(path)]


def check_makefile():
    text = read(APP, 'Makefile')
    wanted = ('LUCI_DEPENDS:=+luci-base +pptp-server', 'include ../../luci.mk', 'SPDX-License-Identifier')
    return ['%r is missing' % line for line in wanted if line not in text]


def check_sizes():
    long = [path for path in scripts() + glob.glob(os.path.join(HERE, '**/*.*'), recursive=True)
            if os.path.isfile(path) and path.endswith(('.js', '.py')) and read(path).count('\n') > 500]
    return ['%s is longer than 500 lines' % path for path in long]


def checks():
    """(name, problems) of each check."""
    yield 'JSON files', check_json()
    yield 'access groups are two and narrow', check_acl()
    yield 'the menu names views and groups that exist', check_menu()
    yield "options of the server's section agree with the server", check_options()
    yield 'options of accounts agree with the server', check_user_options()
    yield 'causes agree with the server', check_causes()
    yield 'the scripts make no HTML from text', check_html()
    yield "Makefile of LuCI's feed", check_makefile()
    yield 'no file is longer than 500 lines', check_sizes()
    yield 'template of translations', check_template()
    for lang in LANGUAGES:
        yield 'translation ' + lang, check_language(lang)
