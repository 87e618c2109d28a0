"""Checks the page's sources: the generated types are those of the API, types and lint hold, unit tests pass.

python -m vyomo_dashboard.check [--write]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from vyomo_dashboard.build import WEB, BuildError, alone, install, node_paths, run

TYPES: Final = Path("src") / "api" / "schema.d.ts"
_SECONDS: Final = 300


def check(web: Path = WEB, *, write: bool = False) -> None:
    """Raises `BuildError` with what is wrong; `write` makes the generated types new."""
    node, npm = node_paths()
    with alone():
        install(web, node, npm, for_development=True)
    modules = web / "node_modules"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "schema.d.ts"
        generator = modules / "openapi-typescript" / "bin" / "cli.js"
        run([node, generator, "api/openapi.json", "--output", made], web, _SECONDS)
        if write:
            (web / TYPES).write_bytes(made.read_bytes())
        elif made.read_bytes() != (web / TYPES).read_bytes():
            raise BuildError(
                f"{TYPES} is not what api/openapi.json says: python -m vyomo_dashboard.check --write"
            )
    run([node, modules / "typescript" / "bin" / "tsc", "--noEmit"], web, _SECONDS)
    run([node, modules / "@biomejs" / "biome" / "bin" / "biome", "check", "src"], web, _SECONDS)
    run([node, modules / "vitest" / "vitest.mjs", "run"], web, _SECONDS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vyomo_dashboard.check", description=__doc__)
    parser.add_argument("--write", action="store_true", help="generate the types anew")
    try:
        check(write=parser.parse_args().write)
    except (BuildError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
