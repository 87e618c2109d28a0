"""What can go wrong with an embedded server.

EmbeddedServerError
├── BinaryNotFoundError         no executable in any of the places it may come from
├── UnsafeFolderError           a folder that must be ours alone is not
├── InitialisationFailedError   the data folder could not be made
├── AlreadyRunningError         another living process owns the data folder
├── StartFailedError            the server ended before it was ready
└── StartTimeoutError           the server lives but was not ready in time
"""

from collections.abc import Sequence
from pathlib import Path


class EmbeddedServerError(Exception):
    """Base of everything this package raises on purpose."""


class BinaryNotFoundError(EmbeddedServerError):
    def __init__(self, binary: str, looked_in: Sequence[str]) -> None:
        self.binary = binary
        self.looked_in = tuple(looked_in)
        super().__init__(f"no usable {binary} was found; looked in: {', '.join(looked_in)}")


class UnsafeFolderError(EmbeddedServerError):
    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"folder {str(path)!r} cannot be used: {reason}")


class InitialisationFailedError(EmbeddedServerError):
    def __init__(self, server: str, output: str) -> None:
        self.server = server
        self.output = output
        super().__init__(f"{server} could not prepare its data folder: {output.strip()}")


class AlreadyRunningError(EmbeddedServerError):
    def __init__(self, server: str, directory: Path, pid: int | None) -> None:
        self.server = server
        self.directory = directory
        self.pid = pid
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{server} in {str(directory)!r} is already run by {owner}")


class StartFailedError(EmbeddedServerError):
    def __init__(self, server: str, exit_code: int, log_tail: str) -> None:
        self.server = server
        self.exit_code = exit_code
        self.log_tail = log_tail
        super().__init__(f"{server} ended with code {exit_code} before it was ready:\n{log_tail.strip()}")


class StartTimeoutError(EmbeddedServerError):
    def __init__(self, server: str, seconds: float, log_tail: str) -> None:
        self.server = server
        self.seconds = seconds
        self.log_tail = log_tail
        super().__init__(f"{server} was not ready after {seconds:g} s:\n{log_tail.strip()}")
