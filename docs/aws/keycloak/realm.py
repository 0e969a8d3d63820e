# ruff: noqa: INP001  a script beside the page that names it
"""Makes the realm of a stack from the local platform's template: no users, no test client, strict where that is lax.

    .venv/bin/python docs/aws/keycloak/realm.py --front-end https://tickets.example.com > docs/aws/keycloak/realm.json

Secrets of the service clients stay out of the file: Keycloak fills `${CLIENT_...}` from the variables that the stack's
task gets from Secrets Manager.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ticketly_cli.local import realm

TEST_CLIENTS = ("login-testing",)
PASSWORDS = "length(12) and notUsername and notEmail and passwordHistory(3)"


def production(front_ends: list[str], mail_host: str, mail_from: str) -> dict[str, Any]:
    """The realm as Keycloak imports it."""
    found = realm.template()
    found.pop("users", None)
    found["displayName"] = "Ticketly"
    found["sslRequired"] = "all"
    found["bruteForceProtected"] = True
    found["passwordPolicy"] = PASSWORDS
    # the relay's login is entered in the console: a file is no place for it
    found["smtpServer"] = {"host": mail_host, "port": "587", "from": mail_from, "starttls": "true"}
    headers = found["browserSecurityHeaders"]
    policy = headers["contentSecurityPolicy"]
    headers["contentSecurityPolicy"] = policy.replace("@front-end-origins@", " ".join(front_ends))
    headers["strictTransportSecurity"] = "max-age=31536000; includeSubDomains"
    found["clients"] = [_client(one, front_ends) for one in found["clients"] if one["clientId"] not in TEST_CLIENTS]
    return found


def _client(client: dict[str, Any], front_ends: list[str]) -> dict[str, Any]:
    name = client["clientId"]
    for key, value in client.items():
        if value == "@front-end-redirects@":
            client[key] = [f"{one}/*" for one in front_ends]
        elif value == "@front-end-origins-list@":
            client[key] = front_ends
    if name in realm.SERVICE_CLIENTS:
        client["secret"] = f"${{CLIENT_{name.replace('-', '_').upper()}}}"
    return client


def main() -> None:
    """Print the realm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--front-end", action="append", required=True, help="origin of a front end; may be repeated")
    parser.add_argument("--mail-host", default="email-smtp.ap-south-1.amazonaws.com")
    parser.add_argument("--mail-from", default="identity@example.com")
    given = parser.parse_args()
    sys.stdout.write(json.dumps(production(given.front_end, given.mail_host, given.mail_from), indent=2) + "\n")


if __name__ == "__main__":
    main()
