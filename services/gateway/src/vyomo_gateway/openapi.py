"""Writes the OpenAPI document to a file, for the dashboard's generated client.

python -m vyomo_gateway.openapi dashboard/web/api/openapi.json
"""

import json
import sys
from pathlib import Path

from vyomo_gateway.app import create_app


def document() -> str:
    """Sorted, so that a change shows as itself."""
    app = create_app(services=None)  # pyright: ignore[reportArgumentType] - only its routes are looked at
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
