"""Trunks in the database. Passwords are sealed like phone numbers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from voicebot.domain.errors import CampaignError
from voicebot.domain.trunk import NumberFormat, Registered, Srtp, Transport, Trunk
from voicebot.store.crypto import NumberVault
from voicebot.store.tables import RegistrationRow, TrunkRow, WorkerRow
from voicebot.store.workers import fresh


class TrunkRepository:
    """Trunks (线路)."""

    def __init__(self, session: Session, vault: NumberVault) -> None:
        self._session = session
        self._vault = vault

    def save(self, trunk: Trunk) -> None:
        """Write a trunk, in place of one of its name."""
        values: dict[str, Any] = {
            "host": trunk.host,
            "prefixes": list(trunk.prefixes),
            "transport": trunk.transport.value,
            "user": trunk.user,
            "password_sealed": self._vault.seal(trunk.password) if trunk.password else None,
            "register": trunk.register,
            "domain": trunk.domain,
            "number_format": trunk.number_format.value,
            "dial_prefix": trunk.dial_prefix,
            "caller_ids": list(trunk.caller_ids),
            "codecs": list(trunk.codecs),
            "srtp": trunk.srtp.value,
            "tls_verify": trunk.tls_verify,
            "tls_ca": trunk.tls_ca,
            "max_calls": trunk.max_calls,
            "calls_per_s": trunk.calls_per_s,
            "causes": {str(status): cause for status, cause in trunk.causes.items()},
            "enabled": trunk.enabled,
        }
        self._session.execute(
            insert(TrunkRow)
            .values(name=trunk.name, **values)
            .on_conflict_do_update(index_elements=[TrunkRow.name], set_=values)
        )

    def find(self, name: str) -> Trunk:
        """Return a trunk. Raises CampaignError."""
        row = self._session.get(TrunkRow, name, populate_existing=True)
        if row is None:
            raise CampaignError(
                "there is no trunk {name!r}",
                hint="voicebot trunk list shows them; trunk add makes one",
                name=name,
            )
        return self._trunk(row)

    def all(self) -> tuple[Trunk, ...]:
        """Return every trunk, by name."""
        return tuple(
            self._trunk(row) for row in self._session.scalars(select(TrunkRow).order_by(TrunkRow.name))
        )

    def remove(self, name: str) -> bool:
        """Remove a trunk; return whether there was one."""
        gone = self._session.execute(delete(TrunkRow).where(TrunkRow.name == name).returning(TrunkRow.name))
        return gone.first() is not None

    def _trunk(self, row: TrunkRow) -> Trunk:
        return Trunk(
            name=row.name,
            host=row.host,
            prefixes=tuple(row.prefixes),
            transport=Transport(row.transport),
            user=row.user,
            password=self._vault.unseal(row.password_sealed) if row.password_sealed else "",
            register=row.register,
            domain=row.domain,
            number_format=NumberFormat(row.number_format),
            dial_prefix=row.dial_prefix,
            caller_ids=tuple(row.caller_ids),
            codecs=tuple(row.codecs),
            srtp=Srtp(row.srtp),
            tls_verify=row.tls_verify,
            tls_ca=row.tls_ca,
            max_calls=row.max_calls,
            calls_per_s=row.calls_per_s,
            causes={int(status): str(cause) for status, cause in row.causes.items()},
            enabled=row.enabled,
        )


class RegistrationRepository:
    """How line workers' registrations at trunks ended."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, trunk: str, worker: str, status: int, reason: str) -> None:
        """Write how one ended, at the database's time; a trunk that is gone needs none."""
        values = {"status": literal(status), "reason": literal(reason), "at": func.now()}
        known = select(literal(trunk), literal(worker), *values.values()).where(
            exists().where(TrunkRow.name == trunk)
        )
        self._session.execute(
            insert(RegistrationRow)
            .from_select(["trunk", "worker", *values], known)
            .on_conflict_do_update(
                index_elements=[RegistrationRow.trunk, RegistrationRow.worker], set_=values
            )
        )

    def latest(self) -> tuple[Registered, ...]:
        """Return those of the line workers that are alive, by trunk."""
        query = (
            select(RegistrationRow)
            .join(WorkerRow, WorkerRow.id == RegistrationRow.worker)
            .where(fresh(), RegistrationRow.at >= WorkerRow.started_at)
            .order_by(RegistrationRow.trunk, RegistrationRow.worker)
        )
        return tuple(
            Registered(row.trunk, row.worker, row.status, row.reason, row.at)
            for row in self._session.scalars(query)
        )
