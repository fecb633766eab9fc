"""A PostgreSQL server of our own: made on the first start, shared by every process of one data home."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import psycopg
import structlog

from voicebot.domain.errors import StoreError
from voicebot.store.binaries import Binaries, choose, copied, installed, reachable

log = structlog.get_logger()

DATABASE = "voicebot"
SERVER_USERS = ("postgres", "nobody")  # root is refused by PostgreSQL: the first that exists runs it
ROOT_STATE = Path("/var/lib/voicebot")  # where a server of root's lies if its home is closed to others
SOCKET_PATH_BYTES = 107  # sun_path, unix(7)
_SOCKET_FILE = ".s.PGSQL.5432.lock"
_START_S = 120
_ORPHANS_S = 15  # how long children of a killed server may hold its shared memory


class EmbeddedPostgres:
    """Starts and stops the server of one directory.

    It listens on a unix socket in a directory of mode 0700 and nowhere else, so whoever may read its
    files may connect, and nobody else. Every user holds a shared lock while it uses the server; the
    last one to stop shuts it down. A user that is killed loses its lock with its life.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binaries: Binaries | None = None,
        durable: bool = True,
        state: Path = ROOT_STATE,
    ) -> None:
        """Take a directory (made if absent).

        Args:
            directory: where cluster, log and locks lie.
            binaries: the server programs to use; None chooses among the installed.
            durable: False forgoes fsync and an orderly end: for tests only.
            state: where the cluster lies instead if root runs us and `directory` is closed to others.
        """
        self._account = _account()
        self._base = directory.absolute()
        if self._account and not reachable(self._base):
            self._base = state / hashlib.sha256(str(self._base).encode()).hexdigest()[:12]
        self._binaries = binaries
        self._durable = durable
        self._users: int | None = None

    @property
    def cluster(self) -> Path:
        """The server's data directory."""
        return self._base / "cluster"

    @property
    def log_file(self) -> Path:
        """The server's log since it was started."""
        return self.cluster / "server.log"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the product's database."""
        return f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={self._socket_directory()}"

    def start(self) -> str:
        """Make, start or join the server; return `url`. Raises StoreError."""
        try:
            self._base.mkdir(parents=True, exist_ok=True)
            if self._account:
                self._base.chmod(0o755)  # holds no data itself; the cluster in it is 0700
            with self._lock():
                self._boot_and_join()
        except OSError as error:
            raise StoreError(
                f"PostgreSQL in {self._base} can not be started: {error}",
                hint="make the directory writable, or set VOICEBOT_HOME or VOICEBOT_DATABASE_URL",
            ) from error
        return self.url

    def stop(self) -> None:
        """Leave the server; the last user shuts it down. Harmless when not started."""
        if self._users is None:
            return
        with self._lock():
            os.close(self._users)
            self._users = None
            with _flock(self._base / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
                if alone and self._running():
                    mode = "fast" if self._durable else "immediate"
                    self._run(self._programs(), "pg_ctl", "stop", "-D", str(self.cluster), "-m", mode, "-w")

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _boot_and_join(self) -> None:
        for last_try in (False, False, True):
            if not self._running():
                self._boot()
            try:
                return self._join()
            except StoreError:
                # The server may have died, or be recovering, between the look and the knock.
                if last_try:
                    raise
                time.sleep(0.3)
        return None

    def _boot(self) -> None:
        programs = self._programs()
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise(programs)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)  # its process is gone: see _running
        self._launch(programs)
        log.info(
            "postgres started", origin=programs.origin, version=programs.major, cluster=str(self.cluster)
        )

    def _programs(self) -> Binaries:
        programs = self._binaries or choose(installed(), self.cluster)
        return copied(programs, self._base) if self._account else programs

    def _initialise(self, programs: Binaries) -> None:
        # Made aside and renamed: an interrupted initdb leaves nothing that looks like a cluster.
        draft = Path(tempfile.mkdtemp(dir=self._base, prefix="initdb-"))
        try:
            if self._account:
                os.chown(draft, self._account.pw_uid, self._account.pw_gid)
            options = ("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", DATABASE)
            made = self._run(programs, "initdb", "-D", str(draft), *options)
            if made.returncode:
                raise StoreError(
                    f"initdb failed in {self._base}: {made.stderr.strip()[-800:]}",
                    hint="free some disk space, or set VOICEBOT_DATABASE_URL to another PostgreSQL",
                )
            draft.rename(self.cluster)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _launch(self, programs: Binaries) -> None:
        socket = self._private_socket_directory()
        for left_over in socket.glob(".s.PGSQL.*"):
            left_over.unlink()  # of a server that was killed: its pid may live on in another process
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{socket}'",
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "log_min_error_statement": "panic",  # statements and row values hold what people said
            "log_error_verbosity": "terse",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        command = ("start", "-D", str(self.cluster), "-w", "-t", str(_START_S), "-o", options)
        deadline = time.monotonic() + _ORPHANS_S
        while True:
            if self.log_file.exists():
                self.log_file.replace(self.log_file.with_suffix(".log.1"))
            started = self._run(programs, "pg_ctl", *command, "-l", str(self.log_file))
            if started.returncode == 0:
                return
            tail = self._tail()
            if "pre-existing shared memory block" not in tail or time.monotonic() > deadline:
                raise StoreError(
                    f"PostgreSQL {programs.major} does not start; {self.log_file} ends with:\n{tail}",
                    hint="mend what the log names, or set VOICEBOT_DATABASE_URL to another PostgreSQL",
                )
            time.sleep(0.3)

    def _join(self) -> None:
        self._users = os.open(self._base / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            with psycopg.connect(
                dbname="postgres", user=DATABASE, host=str(self._socket_directory()), autocommit=True
            ) as connection:
                if not connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
                ).fetchone():
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as error:
            os.close(self._users)
            self._users = None
            raise StoreError(
                f"the PostgreSQL server in {self._base} does not let us in: {error}",
                hint=f"see {self.log_file}",
            ) from error

    def _running(self) -> bool:
        # The pid alone proves nothing: after a crash another process may have got it.
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
            return Path(f"/proc/{pid}/cwd").readlink() == self.cluster.resolve()
        except (OSError, ValueError, IndexError):
            return False

    def _socket_directory(self) -> Path:
        if len(os.fsencode(self.cluster / _SOCKET_FILE)) <= SOCKET_PATH_BYTES:
            return self.cluster
        name = hashlib.sha256(str(self.cluster).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"voicebot-{os.geteuid()}-{name}"

    def _private_socket_directory(self) -> Path:
        directory = self._socket_directory()
        if directory == self.cluster:
            return directory
        owner = self._account.pw_uid if self._account else os.geteuid()
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            os.chown(directory, owner, -1)
        facts = directory.lstat()
        if directory.is_symlink() or facts.st_uid != owner or facts.st_mode & 0o077:
            raise StoreError(
                f"{directory} exists and is not a private directory of ours",
                hint="remove it, or set VOICEBOT_HOME to a shorter path",
            )
        return directory

    def _run(self, programs: Binaries, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
        }
        account = self._account
        # Output goes to files: a server that inherits a pipe would keep its reader waiting.
        with tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(  # noqa: S603 - programs and arguments are ours
                [str(programs.bin / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                check=False,
                cwd="/",
                env={**environment, "LC_ALL": "C"},
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )
            errors.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, "", errors.read())

    def _tail(self, lines: int = 12) -> str:
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with _flock(self._base / "start.lock", fcntl.LOCK_EX):
            yield


def _account() -> pwd.struct_passwd | None:
    """Return the account that runs the server in our stead; None if we may run it ourselves."""
    if os.geteuid() != 0:
        return None
    for name in SERVER_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StoreError(
        "PostgreSQL refuses to run as root, and there is no account to run it",
        hint="useradd --system postgres, or run voicebot as another user, or set VOICEBOT_DATABASE_URL",
    )


@contextmanager
def _flock(path: Path, how: int) -> Iterator[bool]:
    """Hold a lock; yields False if LOCK_NB is asked for and another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
