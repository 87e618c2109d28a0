"""Folders that are ours alone, and socket folders short enough for the kernel."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from vyomo_service_kit.embedded.errors import UnsafeFolderError

# sockaddr_un holds 107 characters; some clients count a few less.
SOCKET_PATH_LIMIT = 100
_DEFAULT_TEMPORARY = Path("/tmp")  # noqa: S108


def private_folder(path: Path, *, owner: int | None = None) -> Path:
    """Make (or accept) a folder with mode 0700 that belongs to us, or to `owner`; nothing above it is changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        details = path.lstat()
        # Somebody else may have made it first, or put a link in its place.
        if not stat.S_ISDIR(details.st_mode):
            raise UnsafeFolderError(path, "it exists and is not a folder") from None
        if details.st_uid not in {os.geteuid(), owner}:
            raise UnsafeFolderError(path, f"it belongs to user {details.st_uid}") from None
        if stat.S_IMODE(details.st_mode) != 0o700:
            path.chmod(0o700)
    if owner is not None:
        os.chown(path, owner, owner)
    return path


def socket_folder(wanted: Path, *, longest_name: str, owner: int | None = None) -> Path:
    """Folder for a Unix socket: `wanted` when its path is short and plain, else a private one in the temporary folder."""
    wanted = wanted.absolute()
    if _fits(wanted, longest_name):
        return private_folder(wanted, owner=owner)
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    name = f"vyomo-{os.geteuid()}-{digest}"
    temporary = Path(tempfile.gettempdir())
    if not _fits(temporary / name, longest_name):
        temporary = _DEFAULT_TEMPORARY
    return private_folder(temporary / name, owner=owner)


def _fits(folder: Path, longest_name: str) -> bool:
    text = str(folder)
    # Connection URLs separate hosts with a comma; anything unusual goes to the temporary folder instead.
    plain = text.isascii() and text.isprintable() and not set(text) & set(",'\"\\")
    return plain and len(os.fsencode(folder / longest_name)) < SOCKET_PATH_LIMIT
