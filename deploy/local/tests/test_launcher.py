"""The shell launcher over a copy of its own project, with a stand-in for uv: no network, no packages."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from vyomo_local.state import project_folder
from vyomo_service_kit.embedded.processes import ProcessRecord, wait_until

# Installs a "python" that says how it was called, and counts how often it was asked to.
FAKE_UV = """#!/bin/sh
echo "$*" >>"$FAKE_CALLS"
[ -z "${FAKE_FAIL:-}" ] || { echo "no such package" >&2; exit 1; }
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
cat >"$UV_PROJECT_ENVIRONMENT/bin/python" <<'END'
#!/bin/sh
printf '%s\\n' "$@"
END
chmod +x "$UV_PROJECT_ENVIRONMENT/bin/python"
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@dataclass(frozen=True)
class Launcher:
    project: Path
    calls: Path

    def run(
        self, *arguments: str, directory: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("VYOMO_", "UV_"))
        }
        return subprocess.run(
            [self.project / "vyomo", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
            cwd=directory or self.project,
            env={
                **inherited,
                "VYOMO_UV": str(self.project / "fake-uv"),
                "FAKE_CALLS": str(self.calls),
                **environment,
            },
        )

    @property
    def installs(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    project = tmp_path / "the project"
    for folder in ("libs/one", "services/two", "deploy/local"):
        (project / folder).mkdir(parents=True)
        (project / folder / "pyproject.toml").write_text("")
    for name in ("pyproject.toml", "uv.lock"):
        (project / name).write_text("")
    shutil.copy(project_folder() / "vyomo", project / "vyomo")
    (project / "fake-uv").write_text(FAKE_UV)
    (project / "fake-uv").chmod(0o755)
    return Launcher(project, tmp_path / "calls")


def test_installs_once_and_then_needs_nothing(launcher: Launcher) -> None:
    first = launcher.run("up", "--port", "4000")
    second = launcher.run("status", VYOMO_UV="/nonexistent", VYOMO_PYTHON="/nonexistent")

    assert first.stdout.splitlines() == ["-m", "vyomo_local", "up", "--port", "4000"]
    assert second.stdout.splitlines() == ["-m", "vyomo_local", "status"]
    assert len(launcher.installs) == 1
    assert "--frozen" in launcher.installs[0]
    assert "--no-dev" in launcher.installs[0]


def test_changed_lock_file_installs_again(launcher: Launcher) -> None:
    launcher.run("status")
    (launcher.project / "uv.lock").write_text("changed")

    launcher.run("status")

    assert len(launcher.installs) == 2


def test_development_commands_bring_the_dev_group_which_serves_all(launcher: Launcher) -> None:
    launcher.run("test", "libs", "-k", "money")
    launcher.run("up")
    launcher.run("check")

    assert len(launcher.installs) == 1
    assert "--no-dev" not in launcher.installs[0]


@pytest.mark.parametrize("where", ["before", "after", "joined"])
def test_state_folder_may_be_named_anywhere(launcher: Launcher, tmp_path: Path, where: str) -> None:
    arguments = {
        "before": ("--state", "some where", "status"),
        "after": ("status", "--state", "some where"),
        "joined": ("status", "--state=some where"),
    }[where]

    result = launcher.run(*arguments, directory=tmp_path)

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "some where" / "venv").is_dir()
    assert not (launcher.project / ".vyomo").exists()


@pytest.mark.parametrize("arguments", [("--state", "", "status"), ("status", "--state=")])
def test_empty_name_of_a_state_folder_is_refused(
    launcher: Launcher, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = launcher.run(*arguments, directory=tmp_path)

    assert result.returncode == 1
    assert "--state is empty" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_folder_with_other_things_is_not_taken_over(launcher: Launcher, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / ".somebody's").touch()

    result = launcher.run("--state", str(shared), "up")

    assert result.returncode == 1
    assert "holds other things" in result.stderr
    assert shared.stat().st_mode & 0o777 == 0o755


def test_folder_of_a_first_start_that_failed_is_used_again(launcher: Launcher, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for folder in ("tools", "cache", "lost+found"):
        (state / folder).mkdir(parents=True)

    assert launcher.run("--state", str(state), "up").returncode == 0


def test_hints_name_the_launcher_as_it_was_called(launcher: Launcher, tmp_path: Path) -> None:
    shown = FAKE_UV.replace("printf '%s\\n' \"$@\"", 'echo "$VYOMO_COMMAND"')
    (launcher.project / "fake-uv").write_text(shown)

    assert launcher.run("status", directory=tmp_path).stdout.strip() == str(launcher.project / "vyomo")


def test_named_python_that_does_not_fit_is_not_replaced(launcher: Launcher) -> None:
    result = launcher.run("status", VYOMO_PYTHON="/nonexistent/python")

    assert result.returncode == 1
    assert "VYOMO_PYTHON names /nonexistent/python" in result.stderr


def test_two_first_starts_at_once_install_once(launcher: Launcher) -> None:
    (launcher.project / "fake-uv").write_text(FAKE_UV.replace("#!/bin/sh\n", "#!/bin/sh\nsleep 1\n"))

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(launcher.run, ("up", "status")))

    assert [result.returncode for result in results] == [0, 0], results
    assert [result.stdout.splitlines()[-1] for result in results] == ["up", "status"]
    assert len(launcher.installs) == 1


def test_interrupted_installation_stops(launcher: Launcher) -> None:
    busy = '#!/bin/sh\necho $$ >>"$FAKE_CALLS"\nexec sleep 60\n'
    (launcher.project / "fake-uv").write_text(busy)
    environment = {
        **os.environ,
        "VYOMO_UV": str(launcher.project / "fake-uv"),
        "FAKE_CALLS": str(launcher.calls),
    }
    with subprocess.Popen([launcher.project / "vyomo", "status"], env=environment) as process:
        assert wait_until(lambda: bool(launcher.installs), timeout_seconds=10)
        installer = ProcessRecord.of(int(launcher.installs[0]))
        assert installer is not None
        process.terminate()

        assert process.wait(10) == 130
    assert installer.wait_gone(5)


def test_runs_through_a_link_from_any_folder(launcher: Launcher, tmp_path: Path) -> None:
    link = tmp_path / "vyomo"
    link.symlink_to(launcher.project / "vyomo")

    result = subprocess.run(
        [link, "status"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**os.environ, "VYOMO_UV": str(launcher.project / "fake-uv"), "FAKE_CALLS": str(launcher.calls)},
    )

    assert result.returncode == 0, result.stderr
    assert (launcher.project / ".vyomo" / "venv").is_dir()


def test_moved_project_gets_a_new_environment(launcher: Launcher) -> None:
    launcher.run("status")
    leftover = launcher.project / ".vyomo" / "venv" / "names-the-old-place"
    leftover.touch()
    moved = Launcher(launcher.project.rename(launcher.project.with_name("moved")), launcher.calls)

    result = moved.run("status")

    assert result.returncode == 0, result.stderr
    assert not (moved.project / ".vyomo" / "venv" / "names-the-old-place").exists()


def test_failed_installation_says_why_and_is_tried_again(launcher: Launcher) -> None:
    failed = launcher.run("status", FAKE_FAIL="yes")
    again = launcher.run("status")

    assert failed.returncode == 1
    assert "no such package" in failed.stderr
    assert again.returncode == 0


def test_missing_python_is_explained(launcher: Launcher, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "mkdir", "chmod", "cat", "cksum", "readlink", "date"):
        (tools / name).symlink_to(str(shutil.which(name)))

    result = launcher.run("status", PATH=str(tools))

    assert result.returncode == 1
    assert "Python 3.11" in result.stderr


def test_other_systems_are_sent_to_docker(launcher: Launcher, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (tools / "uname").chmod(0o755)

    result = launcher.run("up", PATH=f"{tools}:{os.environ['PATH']}")

    assert result.returncode == 1
    assert "docker compose up" in result.stderr
    assert launcher.installs == []


def test_state_folder_is_closed_to_others(launcher: Launcher) -> None:
    launcher.run("status")

    assert (launcher.project / ".vyomo").stat().st_mode & 0o777 == 0o700


@as_root
def test_ordinary_user_without_a_home_runs_a_project_that_is_not_his(launcher: Launcher) -> None:
    # pytest's own temporary folders are closed to others.
    base = Path("/tmp") / f"vyomo-test-{os.getpid()}"  # noqa: S108
    try:
        shutil.copytree(launcher.project, base / "project")
        mine = base / "mine"
        mine.mkdir()
        os.chown(mine, 65534, 65534)

        result = subprocess.run(
            [base / "project" / "vyomo", "--state", mine / "a state", "status"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=65534,
            group=65534,
            extra_groups=[],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": "/nonexistent",
                "VYOMO_UV": str(base / "project" / "fake-uv"),
                "FAKE_CALLS": str(mine / "calls"),
            },
        )

        assert result.returncode == 0, result.stderr
        assert (mine / "a state" / "venv").stat().st_uid == 65534
    finally:
        shutil.rmtree(base, ignore_errors=True)
