"""Generated pages are what their generators write today."""

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

from vyomo_gateway.openapi import document

PROJECT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_api_page_is_current() -> None:
    generator = load(PROJECT / "docs" / "generate_api.py")

    assert (PROJECT / "docs" / "api.md").read_text() == generator.page(), "run: python docs/generate_api.py"


def test_dependencies_are_all_explained() -> None:
    page = (PROJECT / "docs" / "dependencies.md").read_text()
    members = [*PROJECT.glob("libs/*/pyproject.toml"), *PROJECT.glob("services/*/pyproject.toml")]
    members.append(PROJECT / "deploy" / "local" / "pyproject.toml")
    names: set[str] = set()
    for member in members:
        for requirement in tomllib.loads(member.read_text())["project"]["dependencies"]:
            names.add(requirement.split(";")[0].split(">")[0].split("=")[0].split("[")[0].strip())

    assert {name for name in names if not name.startswith("vyomo") and name not in page} == set()


def test_dashboards_copy_of_the_api_is_current() -> None:
    path = PROJECT / "dashboard" / "web" / "api" / "openapi.json"

    assert path.read_text(encoding="utf-8") == document(), (
        "python -m vyomo_gateway.openapi dashboard/web/api/openapi.json, then python -m vyomo_dashboard.check --write"
    )
