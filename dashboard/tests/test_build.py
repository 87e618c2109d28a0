"""When the page is built anew, and what stays when that fails."""

from pathlib import Path

import pytest

from vyomo_dashboard import build
from vyomo_dashboard.build import STAMP, BuildError, ensure_built, fingerprint, is_current


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    for name in (
        "package.json",
        "package-lock.json",
        ".npmrc",
        "vite.config.ts",
        "tsconfig.json",
        "index.html",
    ):
        (folder / name).write_text(name)
    (folder / "src" / "main.tsx").write_text("one")
    return folder


def built(dist: Path, stamp: str) -> None:
    dist.mkdir()
    (dist / "index.html").write_text("old page")
    (dist / STAMP).write_text(stamp)


def test_fingerprint_sees_content_names_and_nothing_else(web: Path) -> None:
    first = fingerprint(web)
    (web / "node_modules").mkdir()
    (web / "node_modules" / "x.js").write_text("no source")
    assert fingerprint(web) == first
    (web / "src" / "main.tsx").write_text("two")
    second = fingerprint(web)
    (web / "src" / "main.tsx").rename(web / "src" / "other.tsx")

    assert len({first, second, fingerprint(web)}) == 3


def test_current_page_is_not_built_again(web: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    assert not is_current(web, dist)
    built(dist, fingerprint(web))

    assert is_current(web, dist)
    assert ensure_built(web, dist) is False


def test_installed_page_without_sources_is_current_and_nothing_at_all_is_told(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    with pytest.raises(BuildError, match="not here"):
        ensure_built(tmp_path / "nowhere", dist)
    built(dist, "of a release")

    assert is_current(tmp_path / "nowhere", dist)


def test_failed_build_says_why_and_leaves_the_old_page(
    web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "node" / "bin" / "node"
    npm = tmp_path / "node" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path in (node, npm):
        path.parent.mkdir(parents=True, exist_ok=True)
    node.write_text("#!/bin/sh\necho the registry cannot be reached >&2\nexit 7\n")
    node.chmod(0o755)
    npm.write_text("")
    monkeypatch.setenv("VYOMO_NODE", str(node))
    dist = tmp_path / "dist"
    built(dist, "of older sources")

    with pytest.raises(BuildError, match="registry cannot be reached"):
        ensure_built(web, dist)

    assert (dist / "index.html").read_text() == "old page"


def test_lock_file_has_every_platforms_parts_and_no_address() -> None:
    text = (build.WEB / "package-lock.json").read_text()

    for part in (
        *(f"@rolldown/binding-{each}" for each in ("linux-x64-gnu", "linux-x64-musl", "linux-arm64-gnu")),
        *(f"@rolldown/binding-{each}" for each in ("darwin-x64", "darwin-arm64", "win32-x64-msvc")),
        *(f"lightningcss-{each}" for each in ("linux-x64-gnu", "linux-x64-musl", "darwin-arm64")),
    ):
        assert f'"node_modules/{part}"' in text
    assert '"resolved"' not in text
