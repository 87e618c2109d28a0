"""Disks of our own: an ext4 file system in an image that can be cut off and looked at, and a small one that can be filled.

Everything is mounted in a mount namespace of this process alone. Whatever becomes of it, the kernel undoes the mounts when the
last process in there has ended, and a loop device goes with its mount.
"""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_MS_REC_PRIVATE: Final = 0x4000 | 0x40000
_COPIES: Final = 10
_TOOLS: Final = ("mount", "umount", "mkfs.ext4", "cp")
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


class ForbiddenError(Exception):
    """This machine does not let us have disks of our own."""


class NoQuietMomentError(Exception):
    """The disk was written to during every copy, so none of them is a moment."""


def leave_for_a_namespace_of_our_own() -> None:
    """Call it before there are threads. Raises `ForbiddenError`."""
    if sys.platform != "linux":
        raise ForbiddenError("power cuts need Linux")
    missing = [tool for tool in _TOOLS if _path_of(tool) is None]
    if missing:
        raise ForbiddenError(f"{', '.join(missing)} is not installed")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None) != 0:
        code = ctypes.get_errno()
        raise ForbiddenError(
            f"no mount namespace of our own ({errno.errorcode.get(code, code)}): this needs root, and in a container CAP_SYS_ADMIN"
        )


def removed_when_we_are_gone(folder: Path) -> None:
    """Also when we are killed. Call it before there are threads."""
    until_we_end, held_by_us = os.pipe()
    if os.fork() == 0:
        os.setsid()  # a Ctrl-C at the terminal is not for this one
        os.close(held_by_us)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.read(until_we_end, 1)  # nobody writes: it returns when the other end has no holder left
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)
    os.close(until_we_end)


@dataclass(frozen=True, slots=True)
class Image:
    """A file with an ext4 file system in it."""

    path: Path

    @classmethod
    def made(cls, path: Path, megabytes: int) -> "Image":
        with path.open("wb") as file:
            file.truncate(megabytes * 1024 * 1024)
        # Everything is laid out at once: nothing goes on in the background that could fall into a copy.
        _run(
            "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path
        )
        return cls(path)

    @contextmanager
    def mounted(self, place: Path) -> Generator[None]:
        with _mounted(place, "-o", "loop", self.path):
            yield

    def cut(self, place: Path, copy: Path) -> "Image":
        """What is on the disk at this moment, while it is mounted at `place` and whoever writes to it stands still.

        What was written and not synced is in the memory of the kernel, and not in the copy: as after a power cut.
        """
        device = _device_of(place)
        for _ in range(_COPIES):
            before = _writes(device)
            _run("cp", "--sparse=always", self.path, copy)
            # The kernel writes back when it likes. A copy during which nothing was written is a single moment.
            if _writes(device) == before:
                return Image(copy)
        raise NoQuietMomentError


@contextmanager
def small_disk(place: Path, megabytes: int) -> Generator[None]:
    with _mounted(place, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "vyomo-small-disk"):
        yield


@contextmanager
def almost_filled(place: Path, *, spare: int) -> Generator[None]:
    """Only so many bytes are free, and the next writers use them up; all are free again when it is left."""
    ballast = place / "ballast"
    try:
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(place).free - spare, 1))
        yield
    finally:
        ballast.unlink(missing_ok=True)


@contextmanager
def _mounted(place: Path, *what: str | Path) -> Generator[None]:
    place.mkdir(exist_ok=True)
    try:
        _run("mount", *what, place)
    except subprocess.CalledProcessError as error:
        raise ForbiddenError(f"mount was refused: {' '.join(str(error.stderr).split())}") from error
    try:
        yield
    finally:
        try:
            _run("umount", place)
        except subprocess.CalledProcessError:
            _run("umount", "-l", place)


def _device_of(place: Path) -> str:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, mounted_at, *_ = line.split()
        if mounted_at == str(place):
            return Path(device).name
    raise ForbiddenError(f"nothing is mounted at {place}")


def _writes(device: str) -> tuple[str, str]:
    """How much was ever written to it, and how many requests are on their way."""
    fields = Path(f"/sys/block/{device}/stat").read_text(encoding="ascii").split()
    return fields[4], fields[8]


def _path_of(tool: str) -> str | None:
    return shutil.which(tool) or shutil.which(tool, path=_SYSTEM_FOLDERS)


def _run(tool: str, *arguments: str | Path) -> None:
    path = _path_of(tool)
    assert path is not None, tool
    subprocess.run([path, *arguments], check=True, capture_output=True, text=True)
