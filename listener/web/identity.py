"""Who uses the page, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from typing import Final

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer

from listener.errors import SettingsError

ROLES: Final = ("support", "marketing", "admin")
ACTS: Final = frozenset({"support", "admin"})
"""Roles that may act on alerts; every role may look at everything else."""
COOKIE: Final = "listener_session"
SESSION_SECONDS: Final = 12 * 3600
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Token(msgspec.Struct, frozen=True):
    """One person or script. `digest`: SHA-256 hex of what they show."""

    name: str
    role: str
    digest: str


class Identity(msgspec.Struct, frozen=True):
    """Who asks. `csrf` must come with whatever they change, unless they showed a token itself."""

    name: str
    role: str
    csrf: str
    by: str
    """`token`, `session`, `proxy` or `local`."""

    @property
    def acts(self) -> bool:
        return self.role in ACTS

    @property
    def admin(self) -> bool:
        return self.role == "admin"


class Access:
    """Decides who a request is from. Pure but for the age of a session."""

    def __init__(
        self,
        *,
        tokens: tuple[Token, ...] = (),
        proxy_user: str | None = None,
        proxy_role: str | None = None,
        proxy_from: str = "",
        secret: str | None = None,
        secure: bool = False,
    ) -> None:
        self.tokens = tokens
        self.secure = secure
        self._proxy_user = proxy_user
        self._proxy_role = proxy_role
        self._proxies = _networks(proxy_from) if proxy_user else ()
        self._secret = (secret or secrets.token_hex(32)).encode()
        self._sessions = URLSafeTimedSerializer(self._secret, salt="session")

    @property
    def open(self) -> bool:
        """Nobody was named: whoever is at this machine is its administrator."""
        return not self.tokens and not self._proxy_user

    def identify(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], *, peer: str
    ) -> Identity | None:
        """The first that fits: a token, the proxy's header, a session, the local user."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = self.find(shown.strip())
            return self._identity(token.name, token.role, "token") if token else None
        return self._by_proxy(headers, peer) or self._by_session(cookies) or self._local(headers)

    def find(self, shown: str) -> Token | None:
        """Whose token it is; takes as long for a wrong one."""
        digest = hashlib.sha256(shown.encode()).hexdigest()
        found = None
        for token in self.tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def session(self, token: Token) -> str:
        """What the cookie carries: a name and what their token was, never the token."""
        return str(self._sessions.dumps([token.name, token.digest[:16]]))

    def _by_session(self, cookies: Mapping[str, str]) -> Identity | None:
        try:
            name, digest = self._sessions.loads(cookies.get(COOKIE, ""), max_age=SESSION_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        for token in self.tokens:
            # A token that was taken away takes its sessions with it.
            if token.name == name and token.digest.startswith(digest):
                return self._identity(token.name, token.role, "session")
        return None

    def _by_proxy(self, headers: Mapping[str, str], peer: str) -> Identity | None:
        name = headers.get(self._proxy_user.lower()) if self._proxy_user else None
        if not name or not any(_address(peer) in network for network in self._proxies):
            return None
        role = headers.get(self._proxy_role.lower(), "") if self._proxy_role else "support"
        return self._identity(name[:200], role, "proxy") if role in ROLES else None

    def _local(self, headers: Mapping[str, str]) -> Identity | None:
        # Another site's name that leads to this address is not the person at this machine.
        if self.open and _hostname(headers.get("host", "")) in LOOPBACK:
            return self._identity("local", "admin", "local")
        return None

    def _identity(self, name: str, role: str, by: str) -> Identity:
        csrf = hmac.new(self._secret, f"csrf:{by}:{name}".encode(), hashlib.sha256)
        return Identity(name, role, csrf.hexdigest(), by)


def read_tokens(text: str) -> tuple[Token, ...]:
    """`name:role:digest`, comma-separated. Raises SettingsError; never tells a digest."""
    found = []
    for number, part in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        name, _, rest = part.partition(":")
        role, _, digest = rest.partition(":")
        digest = digest.lower()
        right = len(digest) == 64 and set(digest) <= set("0123456789abcdef")
        if not name or role not in ROLES or not right:
            raise SettingsError(
                f"LISTENER_WEB_TOKENS: entry {number} is not name:role:digest; roles are "
                f"{', '.join(ROLES)}, the digest is the SHA-256 of the token, 64 hex digits"
            )
        found.append(Token(name, role, digest))
    return tuple(found)


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[_Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(
            f"LISTENER_WEB_PROXY_FROM={text}: {error}; give addresses or networks, comma-separated"
        ) from None


def _address(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(peer)
    except ValueError:
        return ipaddress.ip_address("0.0.0.0")


def _hostname(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
