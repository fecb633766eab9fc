"""People who use the product, in the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from voicebot.domain.errors import DataError
from voicebot.domain.ids import uuid7
from voicebot.domain.users import Role, User
from voicebot.store.calls import row_id
from voicebot.store.tables import UserRow, UserSessionRow


class UserRepository:
    """Users."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def count(self) -> int:
        """Return how many users there are."""
        return self._session.scalar(select(func.count()).select_from(UserRow)) or 0

    def all(self) -> tuple[User, ...]:
        """Return all users by name."""
        return tuple(user_of(row) for row in self._session.scalars(select(UserRow).order_by(UserRow.name)))

    def add(self, user: User, password_hash: str = "") -> User:
        """Add a user and return it with its id. Raises DataError if the name is taken."""
        name = user.name.strip().lower()
        if not name:
            raise DataError("a user needs a name", hint="choose letters and digits")
        if self._session.scalar(select(UserRow.id).where(UserRow.name == name)):
            raise DataError("there is a user {name!r} already", hint="choose another name", name=name)
        added = replace(user, id=user.id or str(uuid7()), name=name)
        self._session.add(
            UserRow(
                id=row_id(added.id),
                name=name,
                display_name=user.display_name,
                role=user.role.value,
                password_hash=password_hash or None,
                must_change=user.must_change,
                disabled=user.disabled,
                oidc_subject=user.oidc_subject or None,
                language=user.language,
                dark=user.dark,
                extension=user.extension,
            )
        )
        self._session.flush()
        return added

    def get(self, user_id: str) -> User:
        """Return a user. Raises DataError."""
        return user_of(self._row(user_id))

    def named(self, name: str) -> tuple[User, str] | None:
        """Return the user of a name with the password's hash ("" = none)."""
        row = self._session.scalar(select(UserRow).where(UserRow.name == name.strip().lower()))
        return (user_of(row), row.password_hash or "") if row else None

    def by_subject(self, subject: str) -> User | None:
        """Return the user whom an identity provider knows by this subject."""
        row = self._session.scalar(select(UserRow).where(UserRow.oidc_subject == subject))
        return user_of(row) if row else None

    def change(self, user_id: str, **values: Any) -> User:
        """Change columns of a user. Who is disabled or gets another role is signed out."""
        row = self._row(user_id)
        if (values.get("disabled") or values.get("role", row.role) != row.role) and self._last_admin(row):
            raise DataError("this is the last administrator", hint="make another one first")
        if values.get("disabled") or values.get("role", row.role) != row.role:
            self.sign_out_everywhere(user_id)
        self._session.execute(update(UserRow).where(UserRow.id == row.id).values(values))
        self._session.refresh(row)
        return user_of(row)

    def set_password(self, user_id: str, password_hash: str, *, must_change: bool) -> None:
        """Give a user another password, and end all sessions."""
        self.change(user_id, password_hash=password_hash, must_change=must_change)
        self.sign_out_everywhere(user_id)

    def sign_out_everywhere(self, user_id: str) -> None:
        """End every session of a user."""
        self._session.execute(delete(UserSessionRow).where(UserSessionRow.user_id == row_id(user_id)))

    def _row(self, user_id: str) -> UserRow:
        row = self._session.get(UserRow, row_id(user_id))
        if row is None:
            raise DataError("there is no user {user_id}", user_id=user_id)
        return row

    def _last_admin(self, row: UserRow) -> bool:
        if row.role != Role.ADMIN.value or row.disabled:
            return False
        query = select(func.count()).select_from(UserRow)
        others = query.where(UserRow.role == Role.ADMIN.value, ~UserRow.disabled, UserRow.id != row.id)
        return not self._session.scalar(others)


def user_of(row: UserRow) -> User:
    """Return a row as a user."""
    return User(
        id=str(row.id),
        name=row.name,
        role=Role(row.role),
        display_name=row.display_name,
        language=row.language,
        dark=row.dark,
        disabled=row.disabled,
        must_change=row.must_change,
        oidc_subject=row.oidc_subject or "",
        extension=row.extension,
    )
