"""The page at `/docs`, with its script and style served from here: it must also work on a machine without internet.

Both files come with the `fastapi-offline` distribution; nothing of them is in this repository.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

_ASSETS: Final = {
    "/docs/swagger-ui.js": ("swagger-ui-bundle.js", "text/javascript"),
    "/docs/swagger-ui.css": ("swagger-ui.css", "text/css"),
    "/docs/favicon.png": ("favicon.png", "image/png"),
}
ASSET_PATHS: Final = frozenset(_ASSETS)


def install_docs_page(app: FastAPI) -> None:
    folder = Path(str(files("fastapi_offline"))) / "static"

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/swagger-ui.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon.png",
            swagger_ui_parameters={"defaultModelsExpandDepth": -1, "persistAuthorization": True},
        )

    for path, (name, media_type) in _ASSETS.items():
        app.add_api_route(path, _serving(folder / name, media_type), include_in_schema=False)


def _serving(path: Path, media_type: str):  # noqa: ANN202 - an endpoint; FastAPI reads its signature
    async def serve() -> FileResponse:
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": "max-age=86400"})

    return serve
