"""How alerts leave this machine: HTTP and e-mail, to addresses that may be reached, within bounds.

As with webhooks, a name is resolved once and all of its addresses must be allowed; private ones are
only where the server was told so (`--private-hooks`).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelyard.core.hooks import Tried
from modelyard.monitoring.alerts.channels import Answered
from modelyard.server.outbound import SECONDS, addresses_of, exchange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import EmailMessage

    from modelyard.core.channels import Relay
    from modelyard.monitoring.alerts.channels import Outside
    from modelyard.server.outbound import Resolver

__all__ = ["Door"]

_PORTS = frozenset({25, 465, 587, 2525})
"""Where e-mail may go; to private addresses any."""
_READY, _DONE = 220, 250
_NAME = "yard.invalid"
"""How we greet a relay: it need not know this machine's name."""


class Door:
    """`Outside` of a server."""

    def __init__(self, *, private: bool, resolver: Resolver | None = None) -> None:
        """`private`: whether loopback and private networks may be reached too."""
        self._private = private
        self._resolver = resolver

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        tried, told = exchange(
            url, body, headers, private=self._private, resolver=self._resolver
        )  # fmt: skip
        return Answered(tried, told)

    def mail(self, relay: Relay, password: str | None, message: EmailMessage) -> Tried:
        began = time.monotonic()
        error = self._mail(relay, password, message)
        seconds = round(time.monotonic() - began, 3)
        return Tried(status=None if error else _DONE, error=error, seconds=seconds)

    def _mail(self, relay: Relay, password: str | None, message: EmailMessage) -> str:
        """What went wrong; nothing if it was taken."""
        if not self._private and relay.port not in _PORTS:
            return f"port {relay.port} is none that e-mail may go to"
        found = addresses_of(
            relay.host, relay.port, private=self._private, resolver=self._resolver
        )  # fmt: skip
        if not found:
            return "the relay has no address, or one that e-mail may not go to"
        try:
            with _relayed(relay, found) as client:
                timer = threading.Timer(SECONDS, client.cut)
                timer.daemon = True
                timer.start()
                try:
                    if relay.security == "starttls":
                        client.starttls(context=ssl.create_default_context())
                    if relay.user is not None:
                        client.login(relay.user, password or "")
                    refused = client.send_message(message)
                finally:
                    timer.cancel()
            return f"the relay refused {len(refused)} of the addresses" if refused else ""
        except smtplib.SMTPAuthenticationError:
            return "the relay does not know this user and password"
        except smtplib.SMTPNotSupportedError:
            return "the relay offers no STARTTLS, or no way to sign in"
        except smtplib.SMTPResponseException as failure:
            return f"the relay answered with {failure.smtp_code}"
        except smtplib.SMTPRecipientsRefused:
            return "the relay refused all addresses"
        except ssl.SSLError as failure:
            return f"TLS: {failure.reason or 'failed'}"
        except (TimeoutError, smtplib.SMTPServerDisconnected):
            return f"no answer within {SECONDS:g} s, or the relay hung up"
        except (OSError, smtplib.SMTPException, ValueError):
            return "no connection, or no SMTP"


def _relayed(relay: Relay, addresses: Sequence[str]) -> _Pinned | _PinnedTls:
    made = (_PinnedTls if relay.security == "tls" else _Pinned)(relay.host, addresses)
    code, words = made.connect(relay.host, relay.port)
    if code != _READY:
        made.close()
        raise smtplib.SMTPConnectError(code, words)
    return made


class _Cuts:
    """Ends a connection that takes too long, whatever the other side does."""

    sock: Any
    addresses: Sequence[str]
    _host: str
    """What the certificate is compared with, after STARTTLS too."""

    def cut(self) -> None:
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def reach(self, port: int, timeout: float) -> socket.socket:
        """Connect to an address that was looked at, whatever the name means by now."""
        error: OSError | None = None
        for address in self.addresses[:4]:
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as failure:
                error = failure
        raise error or TimeoutError


class _Pinned(_Cuts, smtplib.SMTP):
    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self.addresses = addresses
        super().__init__(timeout=SECONDS, local_hostname=_NAME)
        self._host = host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self.reach(port, timeout)


class _PinnedTls(_Cuts, smtplib.SMTP_SSL):
    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self.addresses = addresses
        context = ssl.create_default_context()
        super().__init__(timeout=SECONDS, local_hostname=_NAME, context=context)
        self._host = host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made: socket.socket = self.context.wrap_socket(
            self.reach(port, timeout), server_hostname=host
        )
        return made


if TYPE_CHECKING:
    _: type[Outside] = Door
