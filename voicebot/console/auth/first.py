"""The first administrator, made when there is nobody yet."""

from __future__ import annotations

from voicebot.console.auth.passwords import hash_password, random_password
from voicebot.domain.users import Role, User
from voicebot.store.audit import AuditRepository
from voicebot.store.session import Transaction
from voicebot.store.users import UserRepository

FIRST_ADMIN = "admin"


def first_admin(session: Transaction) -> str:
    """Make the administrator if there is no user; return the password, to be shown once, or ""."""
    users = UserRepository(session)
    if users.count():
        return ""
    password = random_password()
    users.add(User("", FIRST_ADMIN, Role.ADMIN, must_change=True), hash_password(password))
    AuditRepository(session).add("rule", "first_admin", f"user:{FIRST_ADMIN}")
    return password
