"""Trunks as pjsua2 knows them: one account each. Everything here lives and dies in the SIP thread."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path

import pjsua2 as pj
import structlog

from voicebot.domain.errors import TelephonyError
from voicebot.domain.trunk import Srtp, Transport, Trunk
from voicebot.telephony.headers import Headers
from voicebot.telephony.library import Library, UserAgentConfig, media_config
from voicebot.telephony.sip import TrunkAccount

log = structlog.get_logger()

EXPIRES_S = 300  # of a registration
_SRTP = {Srtp.OFF: 0, Srtp.OPTIONAL: 1, Srtp.REQUIRED: 2}  # pjmedia_srtp_use


class Trunks:
    """The accounts of a user agent, kept as the trunks are set."""

    def __init__(
        self,
        library: Library,
        config: UserAgentConfig,
        on_invite: Callable[[int, str, Headers, str], None],
    ) -> None:
        """Begin without trunks."""
        self._library = library
        self._config = config
        self._on_invite = on_invite
        self._accounts: dict[str, tuple[Trunk, bool, TrunkAccount]] = {}
        self._opened: dict[tuple[Transport, str, bool], int] = {}  # transport, authorities, verify -> id
        self.registrations: dict[str, tuple[int, str]] = {}  # name -> SIP status and reason of the last

    def set(self, trunks: Sequence[Trunk], *, register: bool) -> None:
        """Make the accounts those of these trunks; one that is unchanged stays, with its registration."""
        wanted = {trunk.name: trunk for trunk in trunks if trunk.enabled}
        gone = [
            name
            for name, (trunk, registers, _) in self._accounts.items()
            if wanted.get(name) != trunk or registers != register
        ]
        for name in gone:
            self._close(name)
            self.registrations.pop(name, None)
        # pjsua2 gives a closed account's id to the next one: an object left over would close that too.
        gc.collect()
        for name, trunk in wanted.items():
            if name not in self._accounts:
                self._open(trunk, register=register)

    def find(self, name: str) -> tuple[Trunk, TrunkAccount]:
        """Return a trunk and its account. Raises TelephonyError."""
        if name not in self._accounts:
            raise TelephonyError(f"this line worker has no trunk {name}")
        trunk, _, account = self._accounts[name]
        return trunk, account

    def close(self) -> None:
        """End every account, before the library is destroyed."""
        for name in list(self._accounts):
            self._close(name)

    def names(self) -> frozenset[str]:
        """Return the trunks through which can be called."""
        return frozenset(self._accounts)

    def _open(self, trunk: Trunk, *, register: bool) -> None:
        config = _account_config(trunk, self._config, register=register)
        try:
            config.sipConfig.transportId = self._transport(trunk)
        except (TelephonyError, pj.Error) as error:
            reason = error.detail if isinstance(error, TelephonyError) else error.reason
            log.warning("trunk can not be used", trunk=trunk.name, reason=reason)
            self.registrations[trunk.name] = (0, reason)
            return
        account = TrunkAccount(trunk.name, self._on_invite, self._registered)
        account.create(config)
        self._accounts[trunk.name] = (trunk, register, account)

    def _transport(self, trunk: Trunk) -> int:
        """Return the transport of a trunk's calls; trunks that trust the same authorities share one."""
        if trunk.transport is Transport.UDP:
            return -1  # pjsua2 takes the one that is open
        safe = trunk.transport is Transport.TLS
        key = (trunk.transport, trunk.tls_ca if safe else "", safe and trunk.tls_verify)
        if key not in self._opened:
            if safe and trunk.tls_ca and not Path(trunk.tls_ca).is_file():
                raise TelephonyError(f"there is no file {trunk.tls_ca} on this machine")
            self._opened[key] = (
                self._library.open_tls(self._config, ca=trunk.tls_ca, verify=trunk.tls_verify)
                if safe
                else self._library.open_tcp(self._config)
            )
        return self._opened[key]

    def _close(self, name: str) -> None:
        self._accounts.pop(name)[2].shutdown()

    def _registered(self, name: str, status: int, reason: str) -> None:
        self.registrations[name] = (status, reason)
        if 200 <= status < 300:
            log.info("trunk registered", trunk=name)
        else:
            log.warning("trunk not registered", trunk=name, status=status, reason=reason)


def _account_config(trunk: Trunk, config: UserAgentConfig, *, register: bool) -> pj.AccountConfig:
    account = pj.AccountConfig()
    account.idUri = trunk.address_of_record
    transport = "" if trunk.transport is Transport.UDP else f";transport={trunk.transport.value}"
    if trunk.register and register:
        account.regConfig.registrarUri = f"sip:{trunk.host}{transport}"
        account.regConfig.timeoutSec = EXPIRES_S
        account.regConfig.retryIntervalSec = 30
        account.regConfig.firstRetryIntervalSec = 2
    if trunk.user:
        account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", trunk.user, 0, trunk.password))
    media_config(account, config)
    account.mediaConfig.srtpUse = _SRTP[trunk.srtp]
    account.mediaConfig.srtpSecureSignaling = 0
    return account


def caller_uri(trunk: Trunk, caller_id: str) -> str:
    """Return who calls, as a trunk wants to see it: a number becomes an address of ours there."""
    if not caller_id or caller_id.lower().startswith(("sip:", "sips:")):
        return caller_id
    return f"sip:{caller_id}@{trunk.domain or trunk.host}"
