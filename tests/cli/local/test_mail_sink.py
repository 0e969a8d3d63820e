"""The mail sink over real SMTP and HTTP."""

from __future__ import annotations

import contextlib
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from http import HTTPStatus

import httpx2
import pytest

from ticketly_cli.local import mail_sink
from ticketly_cli.local.mail_sink import MailBox


@pytest.fixture
def sink(tmp_path, free_ports):
    smtp_port, http_port = free_ports(2)
    folder = tmp_path / "mails"
    command = [sys.executable, "-m", "ticketly_cli.local.mail_sink", "--folder", str(folder)]
    process = subprocess.Popen([*command, "--smtp-port", str(smtp_port), "--http-port", str(http_port)])
    url = f"http://127.0.0.1:{http_port}"
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(httpx2.HTTPError):
            httpx2.get(f"{url}/mails")
            break
        assert process.poll() is None
        assert time.monotonic() < deadline
    yield smtp_port, url
    process.terminate()
    assert process.wait(20) == 0


def get(url: str):
    return httpx2.get(url).json()


def test_a_mail_sent_by_smtp_is_shown_and_can_be_forgotten(sink):
    smtp_port, url = sink
    message = EmailMessage()
    message["From"] = "tickets@ticketly.test"
    message["To"] = "buyer@ticketly.test"
    message["Subject"] = "Your tickets — thank you"
    message.set_content("Seat A1\n")
    with smtplib.SMTP("127.0.0.1", smtp_port) as client:
        client.send_message(message)
    (mail,) = get(f"{url}/mails?to=buyer@ticketly.test")
    assert mail["subject"] == "Your tickets — thank you"
    assert mail["to"] == ["buyer@ticketly.test"]
    assert mail["text"].splitlines() == ["Seat A1"]
    assert get(f"{url}/mails?to=nobody@ticketly.test") == []
    assert "Seat A1" in httpx2.get(f"{url}/mails/{mail['id']}").text
    assert httpx2.delete(f"{url}/mails").json() == {"deleted": 1}
    assert get(f"{url}/mails") == []


def test_old_mails_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(mail_sink, "MAX_MAILS", 2)
    box = MailBox(tmp_path)
    names = [box.add(f"Subject: {n}\r\n\r\n".encode()) for n in range(3)]
    assert box.ids() == [names[2], names[1]]


def test_a_mail_outside_the_folder_cannot_be_asked_for(tmp_path):
    (tmp_path / "secret.eml").write_text("x")
    folder = tmp_path / "mails"
    folder.mkdir()
    assert mail_sink.answer(MailBox(folder), "GET", "/mails/../secret").status is HTTPStatus.NOT_FOUND


def test_the_page_escapes_what_was_sent(tmp_path):
    box = MailBox(tmp_path)
    box.add(b"From: a@b\r\nTo: c@d\r\nSubject: <script>alert(1)</script>\r\n\r\nx")
    page = mail_sink.answer(box, "GET", "/").body
    assert b"<script>" not in page
