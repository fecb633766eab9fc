"""The console put together: gate, headers, routes, pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from nicegui import app as nicegui_app
from nicegui import ui

import voicebot
from voicebot.console import lost, pages
from voicebot.console.api.app import PATH, api
from voicebot.console.auth.gate import Gate
from voicebot.console.auth.login import SignIn
from voicebot.console.auth.oidc import Provider
from voicebot.console.exports import exports
from voicebot.console.frame import Pages
from voicebot.console.house import House
from voicebot.console.listening import listening
from voicebot.console.recordings import recordings
from voicebot.console.shield import Shield
from voicebot.console.sizes import Sizes
from voicebot.console.trials import trials

STATIC = Path(__file__).with_name("static")


def build(house: House) -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="voicebot", version=voicebot.__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.mount("/static", StaticFiles(directory=STATIC))
    sign_in = SignIn(house)
    app.include_router(sign_in.router)
    app.include_router(Provider(house, sign_in).router)
    app.include_router(recordings(house))
    app.include_router(listening(house))
    app.include_router(exports(house))
    app.include_router(trials(house))

    @app.get("/sw.js", include_in_schema=False)
    async def service_worker() -> FileResponse:
        """Serve the service worker from the root: it may care only for what lies below its own place."""
        return FileResponse(STATIC / "sw.js", media_type="text/javascript")

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        """Say that the console answers and reaches its database."""
        await house.query(lambda session: None)
        return {"status": "ok"}

    app.mount(PATH, api(house))
    ours = Pages(house)
    pages.register(ours)
    lost.register(ours)
    # Uploads show a spinner of their own; Quasar's bar has no name for screen readers.
    nicegui_app.config.quasar_config["loadingBar"]["skipHijack"] = True
    # NiceGUI compresses nothing here: the shield must see pages before they are compressed.
    ui.run_with(
        app,
        title="voicebot",
        favicon=STATIC / "icon.svg",
        gzip_middleware_factory=None,
        tailwind=False,
        show_welcome_message=False,
    )
    app.add_middleware(Gate, house=house)
    app.add_middleware(Shield)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Sizes)
    return app
