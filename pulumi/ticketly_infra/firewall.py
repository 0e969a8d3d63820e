"""Rules of the web application firewall, as data. Pure.

No rule lets a request past the others: nothing here has the action `allow`, and nothing is decided by a header that a
client may set freely. The limits by address come first, so that a flood costs as little as possible.

Bodies: the firewall of a load balancer sees the first 8 KiB. The managed rule that refuses whatever is longer would
refuse every seating plan, every image and every message of the payment provider; it only counts here, and an own rule
refuses long bodies on all paths but those three. The same holds for the rule that takes pixels for scripts. A request
that announces 100 MB or more is refused on every path; the exact limit is the ingress's and the service's.
"""

from __future__ import annotations

from typing import Any, Final

LONG_BODY_PATHS: Final = ("/api/event-seating/", "/api/order/webhook/stripe")
"""Seating plans and images of organizers, and the provider's messages."""
_SIZE_LABEL: Final = "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
_SCRIPT_LABEL: Final = "awswaf:managed:aws:core-rule-set:CrossSiteScripting_Body"
_HUGE: Final = r"^[0-9]{9,}$"
"""A `Content-Length` of nine digits: 100,000,000 bytes and more."""

MANAGED: Final = (
    ("ip-reputation", "AWSManagedRulesAmazonIpReputationList", ()),
    ("known-bad-inputs", "AWSManagedRulesKnownBadInputsRuleSet", ()),
    ("sql-injection", "AWSManagedRulesSQLiRuleSet", ()),
    ("common", "AWSManagedRulesCommonRuleSet", ("SizeRestrictions_BODY", "CrossSiteScripting_BODY")),
)
"""Word, rule group, and rules of it that only count because an own rule decides."""


def rules(*, limit: int, sign_in_limit: int, auth_host: str) -> list[dict[str, Any]]:
    """All rules in their order."""
    signing_in = _all_of(_host(auth_host), _path("/protocol/", "CONTAINS"))
    wanted: list[dict[str, Any]] = [
        _blocking("flood", _by_address(limit)),
        _blocking("sign-in-flood", _by_address(sign_in_limit, signing_in)),
        _blocking("huge-body", _announced_size()),
    ]
    wanted += [_managed(word, group, counted) for word, group, counted in MANAGED]
    wanted += [
        _blocking("long-body", _all_of(_labelled(_SIZE_LABEL), _elsewhere())),
        _blocking("script-in-body", _all_of(_labelled(_SCRIPT_LABEL), _elsewhere())),
    ]
    return [{**rule, "priority": number} for number, rule in enumerate(wanted)]


def visibility(word: str) -> dict[str, Any]:
    """Metrics and samples of one rule."""
    return {"cloudwatch_metrics_enabled": True, "metric_name": word, "sampled_requests_enabled": True}


def _blocking(word: str, statement: dict[str, Any]) -> dict[str, Any]:
    return {"name": word, "action": {"block": {}}, "statement": statement, "visibility_config": visibility(word)}


def _managed(word: str, group: str, counted: tuple[str, ...]) -> dict[str, Any]:
    statement: dict[str, Any] = {"name": group, "vendor_name": "AWS"}
    if counted:
        statement["rule_action_overrides"] = [{"name": one, "action_to_use": {"count": {}}} for one in counted]
    return {
        "name": word,
        "override_action": {"none": {}},
        "statement": {"managed_rule_group_statement": statement},
        "visibility_config": visibility(word),
    }


def _by_address(limit: int, only: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"limit": limit, "aggregate_key_type": "IP", "evaluation_window_sec": 300}
    return {"rate_based_statement": {**found, "scope_down_statement": only} if only else found}


def _announced_size() -> dict[str, Any]:
    return {
        "regex_match_statement": {
            "regex_string": _HUGE,
            "field_to_match": {"single_header": {"name": "content-length"}},
            "text_transformations": [{"priority": 0, "type": "NONE"}],
        }
    }


def _elsewhere() -> dict[str, Any]:
    """Not one of the paths with long bodies. Compared as the ingress resolves it: `..` leads out of them again."""
    return {"not_statement": {"statement": _any_of(*(_path(path, "STARTS_WITH") for path in LONG_BODY_PATHS))}}


def _path(text: str, where: str) -> dict[str, Any]:
    return _bytes(text, where, {"uri_path": {}}, "URL_DECODE", "NORMALIZE_PATH")


def _host(name: str) -> dict[str, Any]:
    return _bytes(name, "EXACTLY", {"single_header": {"name": "host"}}, "LOWERCASE")


def _bytes(text: str, where: str, field: dict[str, Any], *changes: str) -> dict[str, Any]:
    return {
        "byte_match_statement": {
            "search_string": text,
            "positional_constraint": where,
            "field_to_match": field,
            "text_transformations": [{"priority": place, "type": one} for place, one in enumerate(changes)],
        }
    }


def _labelled(label: str) -> dict[str, Any]:
    return {"label_match_statement": {"scope": "LABEL", "key": label}}


def _all_of(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"and_statement": {"statements": list(statements)}}


def _any_of(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"or_statement": {"statements": list(statements)}}
