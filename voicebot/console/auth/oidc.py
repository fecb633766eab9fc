"""Signing in with an OpenID Connect provider: authorisation code with PKCE, by authlib."""

from __future__ import annotations

import hmac
import json
from typing import Any

import httpx
import structlog
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from voicebot.console.auth.cookies import set_cookie
from voicebot.console.auth.login import SignIn, local
from voicebot.console.house import House
from voicebot.domain.users import Role, User
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.users import UserRepository

STATE = "voicebot_oidc"  # cookie: what the answer must fit
STATE_S = 600
TIMEOUT_S = 10.0
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]  # none of them shares a secret

log = structlog.get_logger()


class Provider:
    """The provider of the settings, as the routes under /login/oidc."""

    def __init__(self, house: House, sign_in: SignIn) -> None:
        """Take the house, and what begins a session."""
        self._house = house
        self._settings = house.settings
        self._sign_in = sign_in
        self.router = APIRouter(include_in_schema=False)
        self.router.get("/login/oidc")(self.begin)
        self.router.get("/login/oidc/done")(self.done)

    async def begin(self, request: Request, next: str = "/") -> Response:
        """Send the browser to the provider."""
        if not self._settings.oidc_issuer:
            return RedirectResponse("/login", 303)
        try:
            async with self._client(request) as client, httpx.AsyncClient(timeout=TIMEOUT_S) as plain:
                facts = await self._discover(plain)
                kept = {"verifier": generate_token(64), "nonce": generate_token(32), "next": local(next)}
                url, kept["state"] = client.create_authorization_url(
                    facts["authorization_endpoint"], code_verifier=kept["verifier"], nonce=kept["nonce"]
                )
        except (httpx.HTTPError, OAuthError, KeyError, ValueError) as error:
            return self._failed(error)
        answer = RedirectResponse(url, 303)
        set_cookie(answer, self._settings, STATE, json.dumps(kept), STATE_S)
        return answer

    async def done(self, request: Request, state: str = "", code: str = "") -> Response:
        """Take the provider's answer, prove who it is, and begin a session."""
        try:
            kept = json.loads(request.cookies.get(STATE, "{}"))
            _fits(kept, state, code)
            async with self._client(request) as client, httpx.AsyncClient(timeout=TIMEOUT_S) as plain:
                facts = await self._discover(plain)
                token = await client.fetch_token(
                    facts["token_endpoint"], code=code, code_verifier=kept["verifier"]
                )
                claims = await self._claims(plain, facts, str(token["id_token"]), str(kept["nonce"]))
        except (httpx.HTTPError, OAuthError, JoseError, KeyError, ValueError, TypeError) as error:
            return self._failed(error)
        user = await self._house.query(lambda session: self._user(session, claims))
        if user is None:
            return RedirectResponse("/login?problem=provider_refused", 303)
        answer = await self._sign_in.enter(request, user, str(kept["next"]), "oidc")
        answer.delete_cookie(STATE, path="/")
        return answer

    async def _discover(self, client: httpx.AsyncClient) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer.rstrip("/")
        answer = await client.get(f"{issuer}/.well-known/openid-configuration")
        answer.raise_for_status()
        facts: dict[str, Any] = answer.json()
        if str(facts["issuer"]).rstrip("/") != issuer:
            raise ValueError("the provider calls itself by another name")
        return facts

    async def _claims(
        self, client: httpx.AsyncClient, facts: dict[str, Any], id_token: str, nonce: str
    ) -> dict[str, Any]:
        answer = await client.get(facts["jwks_uri"])
        answer.raise_for_status()
        token = jwt.decode(id_token, KeySet.import_key_set(answer.json()), algorithms=ALGORITHMS)
        JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": facts["issuer"]},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
        return dict(token.claims)

    def _user(self, session: Transaction, claims: dict[str, Any]) -> User | None:
        """Return the user of the claims; who comes for the first time is made, with the role claimed."""
        users, audit = UserRepository(session), AuditRepository(session)
        subject = f"{self._settings.oidc_issuer.rstrip('/')}#{claims['sub']}"
        claimed = str(claims.get(self._settings.oidc_role_claim, ""))
        role = Role(claimed) if claimed in set(Role) else None
        known = users.by_subject(subject)
        if known is None:
            if role is None:
                return None
            name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
            title = str(claims.get("name", ""))
            known = users.add(User("", name, role, title, oidc_subject=subject))
            audit.add("rule", "add_user", f"user:{known.id}", role=role.value, by="oidc")
        elif role is not None and role is not known.role:
            known = users.change(known.id, role=role.value)
            audit.add("rule", "change_user", f"user:{known.id}", role=role.value, by="oidc")
        return None if known.disabled else known

    def _client(self, request: Request) -> AsyncOAuth2Client:
        base = self._settings.console_url or str(request.base_url)
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            self._settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            scope="openid profile email",
            redirect_uri=f"{base.rstrip('/')}/login/oidc/done",
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
        )

    @staticmethod
    def _failed(error: Exception) -> Response:
        log.warning("signing in by the provider failed", error=type(error).__name__)
        return RedirectResponse("/login?problem=provider_failed", 303)


def _fits(kept: dict[str, Any], state: str, code: str) -> None:
    if not code or not hmac.compare_digest(str(kept["state"]), state):
        raise ValueError("the answer fits no question of ours")
