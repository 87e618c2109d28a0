import errno
import os
from pathlib import Path

import pytest

from vyomo_local.logs import logs, pretty
from vyomo_local.rotation import rotate_large_logs
from vyomo_local.state import StateFolder


def test_large_log_is_rotated_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"

    with log.open("a") as writer:
        for round_number in range(5):
            writer.write(f"round {round_number} " + "x" * 100)
            writer.flush()
            rotate_large_logs(tmp_path, max_bytes=50, kept=3)
        writer.write("new end")

    assert log.read_text() == "new end"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "worker.log",
        "worker.log.1",
        "worker.log.2",
        "worker.log.3",
    ]
    assert (tmp_path / "worker.log.1").read_text().startswith("round 4")


def test_full_disk_keeps_the_logs_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worker.log").write_text("grown too large")
    (tmp_path / "worker.log.1").write_text("older")

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", no_room)

    assert rotate_large_logs(tmp_path, max_bytes=5) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "worker.log": "grown too large",
        "worker.log.1": "older",
    }


def test_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_text("short")

    assert rotate_large_logs(tmp_path, max_bytes=50) == []


def test_json_line_becomes_a_sentence() -> None:
    line = '{"timestamp":"2026-11-22T10:00:00.123456Z","level":"info","event":"order.accepted","quantity":5}'

    assert pretty(line) == "2026-11-22T10:00:00.123 info     order.accepted quantity=5"


def test_other_lines_stay_as_they_are() -> None:
    for line in ("plain text", "[1, 2]", '{"no": "event"}', "{broken"):
        assert pretty(line) == line


def test_logs_of_all_services_are_in_order_of_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = StateFolder(tmp_path)
    state.create()
    written = {
        "nats": "[7] 2026/11/22 10:00:00.500123 [INF] second",
        "postgresql": "2026-11-22 10:00:00.750 UTC [9] @ LOG:  third\n\tits detail",
        "gateway": '{"timestamp":"2026-11-22T10:00:01.000001Z","level":"info","event":"fourth"}',
        "migrations": "first, long before: a log without times",
    }
    for name, text in written.items():
        (state.logs / f"{name}.log").write_text(text + "\n")
    os.utime(state.logs / "migrations.log", (1_700_000_000, 1_700_000_000))

    assert logs(state, None, follow=False, lines=4) == 0

    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in shown] == ["second", "third", "detail", "fourth"]
    logs(state, None, follow=False, lines=0)
    assert capsys.readouterr().out == ""
