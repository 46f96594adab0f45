"""Debian packages by name: installs what the host lacks, and fetches packages of any architecture without installing them."""
import os
import subprocess

QUIET = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}


def install(*names):
    """Installs packages on the host; does nothing when all are there."""
    missing = [name for name in names if not installed(name)]
    if missing:
        apt('update', '-qq')
        apt('install', '-y', '-qq', '--no-install-recommends', '-oDPkg::Lock::Timeout=600', *missing, check=True)


def installed(name):
    query = ['dpkg-query', '-W', '-f', '${db:Status-Status}', name]
    return subprocess.run(query, capture_output=True, text=True).stdout == 'installed'


def apt(*arguments, check=False):
    """Shows apt's output only if it fails. `update` may fail for a source that does not matter here."""
    done = subprocess.run(['apt-get', *arguments], env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode:
        raise RuntimeError(f'apt-get {" ".join(arguments)}: {done.stdout[-2000:]}')
    return done.stdout


class Pool:
    """The packages of one architecture in a folder, with an apt state of its own: the host's stays as it is."""

    def __init__(self, arch, folder):
        self.debs = f'{folder}/debs'
        self.options = [
            f'-oAPT::Architecture={arch}', f'-oAPT::Architectures={arch}', '-oAPT::Sandbox::User=root',
            f'-oDir::State={folder}/apt', '-oDir::State::status=/dev/null', f'-oDir::Cache={folder}/apt',
            f'-oDir::Cache::archives={self.debs}', '-oDir::Cache::pkgcache=', '-oDir::Cache::srcpkgcache=',
            '-oDebug::NoLocking=1', '-oDPkg::Post-Invoke=', '-oAPT::Update::Post-Invoke=', '-oAPT::Update::Post-Invoke-Success=',
        ]
        os.makedirs(f'{folder}/apt/lists/partial', exist_ok=True)
        os.makedirs(f'{self.debs}/partial', exist_ok=True)
        apt(*self.options, 'update', '-qq')

    def fetch(self, *names):
        """Downloads packages with all that they depend on."""
        apt(*self.options, 'install', '-y', '-qq', '--no-install-recommends', '--download-only', *names, check=True)

    def fetch_alone(self, name):
        """Downloads one package without its dependencies, and gives its file."""
        listing = subprocess.run(['apt-get', *self.options, 'download', '-qq', '--print-uris', name],
                                 check=True, capture_output=True, text=True).stdout
        file = f'{self.debs}/{listing.split()[1]}'
        if not os.path.exists(file):
            subprocess.run(['apt-get', *self.options, 'download', '-qq', name], check=True, cwd=self.debs)
        return file

    def real_name(self, name):
        """The package behind a name that only depends on another one, as Debian's kernels do."""
        lines = subprocess.run(['apt-cache', *self.options, 'depends', name],
                               check=True, capture_output=True, text=True).stdout.splitlines()
        return next(line.split()[1] for line in lines if line.strip().startswith('Depends:'))


def unpack(deb, folder):
    subprocess.run(['dpkg-deb', '-x', deb, folder], check=True)
