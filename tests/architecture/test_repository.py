"""Promises about the repository itself that no other check holds."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LARGEST_MODULE = 400


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    return [PROJECT / line for line in listed.splitlines()]


def test_modules_stay_small() -> None:
    too_long = {
        str(path.relative_to(PROJECT)): lines
        for path in tracked("*.py")
        if (lines := path.read_text().count("\n")) > LARGEST_MODULE
    }

    assert not too_long


def test_lock_file_names_no_index_but_the_public_one() -> None:
    indexes = set(re.findall(r'registry = "([^"]+)"', (PROJECT / "uv.lock").read_text()))

    assert indexes == {"https://pypi.org/simple"}


def test_clock_and_chance_are_read_in_one_place_only() -> None:
    forbidden = re.compile(
        r"datetime\.now\(|datetime\.utcnow\(|time\.time\(|uuid\.uuid|uuid4\(|random\.random\("
    )
    allowed = {"clock.py", "identifiers.py"}
    found = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path in tracked("libs/*/src/**/*.py", "services/*/src/**/*.py")
        if path.name not in allowed
        for line in path.read_text().splitlines()
        if forbidden.search(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    "page", [*sorted((PROJECT / "docs").rglob("*.md")), PROJECT / "README.md"], ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_paths_the_readme_names_exist() -> None:
    named = re.findall(
        r"`((?:libs|services|deploy|tests|docs)/[^`\s]+)`", (PROJECT / "README.md").read_text()
    )

    assert [name for name in named if not (PROJECT / name).exists()] == []
