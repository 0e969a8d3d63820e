"""Where traces go is said once in a platform and reaches every service; by default it is said to nobody."""

from __future__ import annotations

from typing import Any

import pytest

from ticketly_crds import spec
from ticketly_crds.blueprint import blueprint, cluster
from ticketly_crds.spec import SpecError, TicketlyPlatform

ENDPOINT = "http://collector.monitoring:4318/v1/traces"


def variables(platform: TicketlyPlatform, **telemetry: Any) -> list[dict[str, Any]]:
    """The variables about traces, by service."""
    document = platform.model_dump(by_alias=True, mode="json")
    document["spec"]["telemetry"] = telemetry
    made = blueprint(spec.parse(document), cluster(platform))
    return [
        {var.name: var.value for var in service.env if var.name.startswith("TICKETLY_TRACING")}
        for service in made.services
    ]


def test_nothing_is_said_about_traces_by_default(cluster_platform: TicketlyPlatform) -> None:
    assert variables(cluster_platform) == [{}] * 5
    assert variables(cluster_platform, samplingRatio=0.5) == [{}] * 5


@pytest.mark.parametrize(("ratio", "text"), [(1, "1.000000"), (0, "0.000000"), (0.01, "0.010000"), (1e-5, "0.000010")])
def test_every_service_hears_endpoint_and_ratio(cluster_platform: TicketlyPlatform, ratio: float, text: str) -> None:
    wanted = {"TICKETLY_TRACING_OTLP_ENDPOINT": ENDPOINT, "TICKETLY_TRACING_SAMPLING_RATIO": text}
    assert variables(cluster_platform, otlpEndpoint=ENDPOINT, samplingRatio=ratio) == [wanted] * 5


@pytest.mark.parametrize(
    ("telemetry", "path"),
    [
        ({"otlpEndpoint": "collector:4318"}, "spec.telemetry.otlpEndpoint"),
        ({"samplingRatio": 1.5}, "spec.telemetry.samplingRatio"),
        ({"samplingRatio": "all"}, "spec.telemetry.samplingRatio"),
        ({"endpoint": ENDPOINT}, "spec.telemetry.endpoint"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(
    cluster_platform: TicketlyPlatform, telemetry: dict[str, Any], path: str
) -> None:
    with pytest.raises(SpecError) as refused:
        variables(cluster_platform, **telemetry)
    assert [fault.path for fault in refused.value.faults] == [path]
