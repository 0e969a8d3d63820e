"""The realm file follows contract section 1."""

from __future__ import annotations

import json
import re

import pytest

from ticketly_cli.local import realm
from ticketly_cli.local.credentials import Credentials

ORIGINS = ["http://127.0.0.1:8090", "http://localhost:8090"]


@pytest.fixture(scope="module")
def credentials():
    made = Credentials()
    realm.ensure_credentials(made)
    return made


@pytest.fixture(scope="module")
def rendered(credentials):
    return realm.render(realm.values_from(credentials, "127.0.0.1", 1025, ORIGINS))


def clients(rendered):
    return {client["clientId"]: client for client in rendered["clients"]}


def groups(rendered):
    found = {}

    def walk(group, path):
        found[f"{path}/{group['name']}"] = group
        for child in group.get("subGroups", ()):
            walk(child, f"{path}/{group['name']}")

    for group in rendered["groups"]:
        walk(group, "")
    return found


def test_no_placeholder_is_left(rendered):
    assert not re.search(r"@[a-z-]+(:[^@\"]+(@[^@\"]+)?)?@", json.dumps(rendered))


def test_the_template_holds_no_password():
    text = json.dumps(realm.template())
    for match in re.finditer(r'"(?:value|secret)": "([^"]*)"', text):
        assert match[1].startswith("@")


def test_passwords_differ_between_machines(rendered, credentials):
    other = Credentials()
    realm.ensure_credentials(other)
    assert not set(other.users.values()) & set(credentials.users.values())
    assert not set(other.clients.values()) & set(credentials.clients.values())


def test_exactly_the_clients_of_the_contract(rendered):
    assert clients(rendered).keys() == {"web-frontend", *realm.PASSWORD_GRANT_CLIENTS, *realm.SERVICE_CLIENTS}


def test_browser_and_mobile_clients_use_pkce(rendered):
    for name in ("web-frontend", "check-in-mobile-app"):
        client = clients(rendered)[name]
        assert client["publicClient"]
        assert client["standardFlowEnabled"]
        assert client["attributes"]["pkce.code.challenge.method"] == "S256"


def test_the_front_end_may_come_from_its_origins_only(rendered):
    client = clients(rendered)["web-frontend"]
    assert client["redirectUris"] == [f"{origin}/*" for origin in ORIGINS]
    assert client["webOrigins"] == ORIGINS
    assert not client["directAccessGrantsEnabled"]
    assert all(origin in rendered["browserSecurityHeaders"]["contentSecurityPolicy"] for origin in ORIGINS)


def test_login_testing_may_ask_for_internal_api_but_does_not_have_it(rendered):
    client = clients(rendered)["login-testing"]
    assert client["directAccessGrantsEnabled"]
    assert "internal-api" in client["optionalClientScopes"]
    assert "internal-api" not in client["defaultClientScopes"]
    assert {"roles", "basic", "group_membership", "aud-ticketly-api"} <= set(client["defaultClientScopes"])
    assert "aud-ticketly-internal" not in client["defaultClientScopes"] + client["optionalClientScopes"]


def test_service_clients_have_the_internal_audience_and_no_other(rendered):
    for name in realm.SERVICE_CLIENTS:
        client = clients(rendered)[name]
        assert not client["publicClient"]
        assert client["serviceAccountsEnabled"]
        assert set(client["defaultClientScopes"]) == {"internal-api", "aud-ticketly-internal"}


def test_every_scope_a_client_names_is_defined(rendered):
    defined = {scope["name"] for scope in rendered["clientScopes"]}
    for client in rendered["clients"]:
        assert set(client["defaultClientScopes"]) | set(client["optionalClientScopes"]) <= defined
    assert {"basic", "profile", "email", "roles", "web-origins", "acr"} <= defined


def test_groups_with_full_paths_in_the_claim_user_groups(rendered):
    scope = next(scope for scope in rendered["clientScopes"] if scope["name"] == "group_membership")
    (mapper,) = scope["protocolMappers"]
    assert mapper["config"]["claim.name"] == "user_groups"
    assert mapper["config"]["full.path"] == "true"


def test_system_admins_have_the_three_roles_and_plain_users_none(rendered):
    found = groups(rendered)
    wanted = ["event_admin", "category_admin", "organization_admin"]
    assert found["/Permissions/Users/System Admins"]["realmRoles"] == wanted
    assert "realmRoles" not in found["/Permissions/Users"]
    assert {"/Tiers/FREE", "/Tiers/PRO", "/Tiers/ENTERPRISE", "/Load/Buyers"} <= found.keys()
    assert rendered["defaultGroups"] == ["/Permissions/Users", "/Tiers/FREE"]


def test_three_users_with_the_groups_of_the_contract_and_lasting_ids(rendered, credentials):
    users = {user["username"]: user for user in rendered["users"] if "credentials" in user}
    assert users.keys() == set(realm.TEST_USERS)
    assert {"/Permissions/Users/System Admins", "/Tiers/PRO"} <= set(users["admin@ticketly.test"]["groups"])
    assert "/Tiers/PRO" in users["user@ticketly.test"]["groups"]
    assert "/Tiers/ENTERPRISE" in users["test@ticketly.test"]["groups"]
    again = realm.render(realm.values_from(credentials, "127.0.0.1", 1025, ORIGINS))
    assert again == rendered


def test_service_accounts_may_only_what_the_contract_says(rendered):
    accounts = {user["serviceAccountClientId"]: user for user in rendered["users"] if "serviceAccountClientId" in user}
    assert {name: user["clientRoles"]["realm-management"] for name, user in accounts.items()} == {
        "events-service": ["manage-users"],
        "scheduler-service-client": ["view-users"],
    }
