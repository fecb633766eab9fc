"""A small OpenID Connect provider on loopback: discovery, codes with PKCE, signed tokens, keys."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "voicebot", "client-secret"


class OidcProvider:
    """Signs one person in, whoever asks; checks what a relying party must send."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.signing_key = self.key
        self.person: dict[str, Any] = {"sub": "1", "preferred_username": "wang", "voicebot_role": "manager"}
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.facts)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)
        self.app.get("/keys")(self.keys)

    async def facts(self) -> dict[str, str]:
        """Say where everything is."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    async def authorize(self, request: Request) -> RedirectResponse:
        """Send the browser back with a code."""
        asked = dict(request.query_params)
        if asked["client_id"] != CLIENT or asked["code_challenge_method"] != "S256":
            raise HTTPException(400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 303)

    async def token(
        self,
        request: Request,
        code: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
    ) -> dict[str, str]:
        """Give a token for a code, once."""
        asked = self._codes.pop(code)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if (
            base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]
            or request.headers["authorization"] != f"Basic {basic}"
            or redirect_uri != asked["redirect_uri"]
        ):
            raise HTTPException(400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims | self.person, self.signing_key)
        return {"access_token": "a", "token_type": "Bearer", "id_token": id_token}

    async def keys(self) -> dict[str, Any]:
        """Publish the public key."""
        return {"keys": [self.key.as_dict(private=False)]}


@contextmanager
def running_provider() -> Iterator[OidcProvider]:
    """Run the provider on a free port of loopback."""
    provider = OidcProvider()
    server = uvicorn.Server(uvicorn.Config(provider.app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield provider
    server.should_exit = True
    thread.join(10)
