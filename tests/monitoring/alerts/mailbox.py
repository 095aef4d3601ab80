"""A mail relay on loopback: what SMTP needs, with TLS and passwords if wished."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

__all__ = ["Mailbox", "certificate", "mailbox"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of `localhost`, its own authority."""
    key, made = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


class Mailbox:
    """Takes e-mail."""

    def __init__(
        self, tls: ssl.SSLContext | None, *, at_once: bool, login: tuple[str, str] | None,
        refuses: bool,
    ) -> None:  # fmt: skip
        self.tls, self.at_once, self.login, self.refuses = tls, at_once, login, refuses
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.was_secure: list[bool] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure, known = self.at_once, self.login is None

        async def say(*lines: str) -> None:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            await writer.drain()

        await say("220 here")
        to: list[str] = []
        while line := (await reader.readline()).decode().strip():
            word = line.upper()
            if word.startswith("EHLO"):
                more = ["250-STARTTLS"] if self.tls and not secure else []
                auth = ["250-AUTH PLAIN"] if self.login else []
                await say("250-here", *more, *auth, "250 8BITMIME")
            elif word == "STARTTLS" and self.tls:
                await say("220 go on")
                await writer.start_tls(self.tls)
                secure = True
            elif word.startswith("AUTH PLAIN") and self.login:
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                known = (user, password) == self.login
                await say("235 welcome" if known else "535 who are you")
            elif word.startswith("MAIL"):
                await say("250 ok" if known else "530 say who you are")
            elif word.startswith("RCPT"):
                to.append(line.partition("<")[2].partition(">")[0])
                await say("550 nobody here" if self.refuses else "250 ok")
            elif word == "DATA":
                await say("354 go on")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(
                    email.message_from_bytes(data[:-3], policy=email.policy.default)
                )
                self.recipients += to
                self.was_secure.append(secure)
                await say("250 taken")
            elif word == "QUIT":
                await say("221 bye")
                return
            else:
                await say("250 ok")


@contextlib.contextmanager
def mailbox(
    pair: tuple[Path, Path] | None = None, *, at_once: bool = False,
    login: tuple[str, str] | None = None, refuses: bool = False,
) -> Iterator[Mailbox]:  # fmt: skip
    """A relay as long as the block lasts.

    Args:
        pair: Key and certificate, for TLS: by STARTTLS, or `at_once`.
        login: Without these nobody may send.
    """
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair[1], pair[0])
    box = Mailbox(context, at_once=at_once, login=login, refuses=refuses)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    server: Any = None

    async def begin() -> None:
        nonlocal server
        tls = context if at_once else None
        server = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=tls)
        box.port = server.sockets[0].getsockname()[1]
        ready.set()

    async def end() -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
