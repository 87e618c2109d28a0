import pytest

from vyomo_local.outside import _without_urls  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["up", "--nats", "nats://u:p@h", "--detach"], ["up", "--detach"]),
        (["up", "--nats=nats://u:p@h", "--postgres=postgresql://u:p@h/d"], ["up"]),
        (["up", "--nats", "@file", "--postgres=@file"], ["up", "--nats", "@file", "--postgres=@file"]),
        (["up", "--host", "nats://u:p@h"], ["up", "--host", "nats://u:p@h"]),
    ],
)
def test_only_urls_leave_the_command_line(given: list[str], kept: list[str]) -> None:
    assert _without_urls(["python", "-m", "vyomo_local", *given]) == ["python", "-m", "vyomo_local", *kept]
