"""The HTTP API in a browser: Swagger's page with its own files. None comes from anybody else, and nobody is asked."""

import base64
import hashlib
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

PAGE_PATH: Final = "/docs"
MEDIA_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
DOCS_PATHS: Final = (PAGE_PATH, *(f"{PAGE_PATH}/{name}" for name in MEDIA_TYPES))
"""What a browser asks for before it has the OpenAPI text."""

# Addresses are relative to the page's: it may be shown below a proxy's path that nobody told us of. Without a word on
# `validatorUrl` some layouts send the text to a validator on the internet.
SCRIPT: Final = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
})"""
_SCRIPT_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; script-src 'self' 'sha256-{_SCRIPT_HASH}'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
}
FILE_HEADERS: Final = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}


def build_docs_routes(title: str) -> APIRouter:
    """Routes of the page and its files; `title` is the browser's."""
    router = APIRouter(include_in_schema=False)
    directory = Path(str(files("fastapi_swagger") / "resources"))
    page = _page(title)

    @router.get(PAGE_PATH)
    async def show() -> Response:
        return HTMLResponse(page, headers=HEADERS)

    def add(name: str, media_type: str) -> None:
        @router.get(f"{PAGE_PATH}/{name}")
        async def send() -> Response:
            return FileResponse(directory / name, media_type=media_type, headers=FILE_HEADERS)

    for name, media_type in MEDIA_TYPES.items():
        add(name, media_type)
    return router


def _page(title: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> has the same text.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script>{SCRIPT}</script>
</body>
</html>
"""
