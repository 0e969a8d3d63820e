"""A mail server that keeps every mail and sends none: SMTP in, HTTP out, both on the loopback interface.

    python -m ticketly_cli.local.mail_sink --smtp-port 1025 --http-port 8025 --folder .../mails

`GET /` is a page for people, `GET /mails` JSON (newest first; `?to=address` filters), `GET /mails/<id>` the mail as it
was sent, `DELETE /mails` forgets all. Mails are files, so they survive a restart; the oldest beyond a limit go.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import signal
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_MAILS = 2000
MAX_MAIL_BYTES = 32 * 1024 * 1024
_REQUEST_TIMEOUT_SECONDS = 10.0
_MAX_TEXT_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class MailBox:
    """Mails as files `<time>-<random>.eml`; the name is the id and sorts by arrival."""

    folder: Path

    def add(self, content: bytes) -> str:
        """Store a mail and drop the oldest ones beyond the limit."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        temporary = self.folder / f"{name}.new"
        temporary.write_bytes(content)
        temporary.rename(self.folder / f"{name}.eml")
        for old in self.ids()[MAX_MAILS:]:
            (self.folder / f"{old}.eml").unlink(missing_ok=True)
        return name

    def ids(self) -> list[str]:
        """Newest first."""
        return sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)

    def raw(self, name: str) -> bytes | None:
        """None when there is no such mail."""
        if name not in self.ids():
            return None
        return (self.folder / f"{name}.eml").read_bytes()

    def clear(self) -> int:
        """Forget all; how many they were."""
        names = self.ids()
        for name in names:
            (self.folder / f"{name}.eml").unlink(missing_ok=True)
        return len(names)

    def summaries(self, recipient: str | None = None) -> list[dict[str, object]]:
        """What `GET /mails` answers: id, receivedAt, from, to, subject, text."""
        found = []
        for name in self.ids():
            raw = self.raw(name)
            if raw is not None:
                summary = summarise(name, raw)
                if recipient is None or recipient in summary["to"]:  # type: ignore[operator]  # a list of addresses
                    found.append(summary)
        return found


def summarise(name: str, raw: bytes) -> dict[str, object]:
    """A mail for programs; `text` is its first plain or HTML part."""
    message: EmailMessage = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    received = datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    return {
        "id": name,
        "receivedAt": received.isoformat().replace("+00:00", "Z"),
        "from": str(message.get("X-Envelope-From", message.get("From", ""))),
        "to": [part.strip() for part in str(message.get("X-Envelope-To", message.get("To", ""))).split(",")],
        "subject": str(message.get("Subject", "")),
        "text": "" if body is None else str(body.get_content())[:_MAX_TEXT_CHARS],
    }


@dataclass(frozen=True)
class SmtpSide:
    """aiosmtpd's handler. Without slots: aiosmtpd reads all its attributes, which Python 3.11.2 cannot do with them."""

    box: MailBox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        del server, session
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        await asyncio.to_thread(self.box.add, head.encode() + raw)
        return "250 OK"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: HTTPStatus
    content_type: str
    body: bytes


def answer(box: MailBox, method: str, target: str) -> Answer:
    """The HTTP side without its socket."""
    parts = urlsplit(target)
    if method == "DELETE" and parts.path == "/mails":
        return _json({"deleted": box.clear()})
    if method != "GET":
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET or DELETE")
    if parts.path == "/mails":
        return _json(box.summaries(next(iter(parse_qs(parts.query).get("to", [])), None)))
    if parts.path.startswith("/mails/"):
        raw = box.raw(parts.path.removeprefix("/mails/"))
        if raw is not None:
            return Answer(HTTPStatus.OK, "message/rfc822", raw)
    if parts.path == "/":
        return Answer(HTTPStatus.OK, "text/html; charset=utf-8", _page(box).encode())
    return Answer(HTTPStatus.NOT_FOUND, "text/plain", b"not found")


def _json(value: object) -> Answer:
    return Answer(HTTPStatus.OK, "application/json", json.dumps(value, ensure_ascii=False).encode())


def _page(box: MailBox) -> str:
    rows = []
    for mail in box.summaries():
        to = ", ".join(mail["to"])  # type: ignore[arg-type]  # a list of addresses
        cells = (str(mail["receivedAt"]), str(mail["from"]), to, str(mail["subject"]))
        link = f'<a href="/mails/{html.escape(str(mail["id"]))}">source</a>'
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + f"<td>{link}</td></tr>")
    head = "<tr><th>received</th><th>from</th><th>to</th><th>subject</th><th></th></tr>"
    return f"<!doctype html><title>Mails</title><h1>Mails</h1><table>{head}{''.join(rows)}</table>"


async def _serve_http(box: MailBox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_SECONDS):
            words = (await reader.readuntil(b"\r\n")).decode("latin-1").split()
            while (await reader.readuntil(b"\r\n")).strip():
                pass
            method, target = (words[0], words[1]) if len(words) > 1 else ("", "/")
            found = await asyncio.to_thread(answer, box, method, target)
            head = (
                f"HTTP/1.1 {found.status.value} {found.status.phrase}\r\nContent-Type: {found.content_type}\r\n"
                f"Content-Length: {len(found.body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode("ascii") + found.body)
            await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return
    finally:
        writer.close()


async def serve(smtp_port: int, http_port: int, folder: Path, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    box = MailBox(folder)
    loop = asyncio.get_running_loop()

    def smtp() -> SMTP:
        return SMTP(SmtpSide(box), data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, hostname="localhost")

    smtp_server = await loop.create_server(smtp, "127.0.0.1", smtp_port)
    http_server = await asyncio.start_server(lambda r, w: _serve_http(box, r, w), "127.0.0.1", http_port)
    async with smtp_server, http_server:
        await stop.wait()


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="mail sink")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(chosen.smtp_port, chosen.http_port, chosen.folder, stop)

    asyncio.run(run())


if __name__ == "__main__":
    main()
