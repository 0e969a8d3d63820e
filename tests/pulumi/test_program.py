"""The whole program of both profiles: what is in it, what it tells, and that no secret leaves it."""

from __future__ import annotations

import json
import runpy
import warnings
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from ticketly_cli.provision import platform_file
from ticketly_crds import spec
from ticketly_crds.blueprint import blueprint, placement
from ticketly_infra import program
from ticketly_infra.guard import PolicyError

PROFILES = ("dev", "prod")
CANARY = "canaryPassword"
PROGRAM = Path(__file__).resolve().parents[2] / "pulumi" / "__main__.py"


@pytest.mark.parametrize("profile", PROFILES)
def test_outputs_make_a_platform_and_a_script_that_fits_it(programs, profile, tmp_path):
    """Every Secret that the platform's services and connectors ask for is made by the script."""
    outputs = {name: one["value"] for name, one in programs[profile].outputs.items()}
    files = platform_file.files(
        outputs, tmp_path / "platform.yaml", name="ticketly", namespace="ticketly", region="ap-south-1"
    )
    platform = spec.load(files[tmp_path / "platform.yaml"])
    wanted = {(ref.name, ref.key) for ref in blueprint(platform, placement.cluster(platform)).secrets()}
    made = {(source.secret, source.key) for source in platform_file.sources(outputs)}
    assert wanted <= made
    assert CANARY not in "".join(files.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_no_output_is_secret_or_holds_a_secret(programs, profile):
    outputs = programs[profile].outputs
    assert not any(one["secret"] for one in outputs.values())
    assert CANARY not in json.dumps(outputs)


@pytest.mark.parametrize("profile", PROFILES)
def test_generated_passwords_are_nowhere_but_in_inputs_marked_as_secret(programs, profile):
    holders = 0
    for one in programs[profile].resources:
        plain = {name: value for name, value in one["inputs"].items() if name not in one["secrets"]}
        assert CANARY not in json.dumps(plain), one["name"]
        holders += CANARY in json.dumps(one["inputs"])
    assert holders > 5


@pytest.mark.parametrize("profile", PROFILES)
def test_passwords_are_made_once_and_then_kept(programs, profile):
    """A generator's new answer is ignored; what is made of kept ones (URLs) follows them."""
    versions = programs[profile].resources.of("secretsmanager/secretVersion:SecretVersion")
    kept = {one["name"].rpartition("-")[2] for one in versions if one["ignoreChanges"] == ["secretString"]}
    assert {"postgres", "oidc", "keycloak"} <= kept
    assert "redis" not in kept


def test_the_profiles_differ_where_they_should(programs):
    kinds = {profile: {one["type"] for one in run.resources} for profile, run in programs.items()}
    large = {
        "eks/cluster:Cluster",
        "msk/cluster:Cluster",
        "docdb/cluster:Cluster",
        "eks/podIdentityAssociation:PodIdentityAssociation",
    }
    assert {f"aws:{kind}" for kind in large} <= kinds["prod"] - kinds["dev"]
    assert {"aws:ec2/instance:Instance", "aws:ebs/volume:Volume"} <= kinds["dev"] - kinds["prod"]
    assert programs["prod"].resources.one("rds/instance:Instance")["inputs"]["multiAz"]
    assert not programs["dev"].resources.one("rds/instance:Instance")["inputs"]["multiAz"]


def test_names_are_unique_and_carry_the_stack(programs):
    for profile, run in programs.items():
        names = [(one["type"], one["name"]) for one in run.resources]
        assert len(names) == len(set(names))
        assert all(f"ticketly-{profile}" in name for _, name in names)


def test_the_policies_are_part_of_the_program(programs):
    for run in programs.values():
        assert run.outputs["policies"]["value"] == f"{len(run.resources)} resources keep the policies"


def test_the_entry_point_runs_the_program(recorded):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        run = recorded(
            lambda: runpy.run_path(str(PROGRAM)) and None,
            "dev",
            {"ticketly:profile": "dev", "ticketly:domain": "dev.example.com"},
        )
    assert "platform" in run.outputs
    assert len(PROGRAM.read_text().splitlines()) <= 10


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "ticketly:profile: required"),
        ({"ticketly:profile": "staging", "ticketly:domain": "x.example.com"}, "ticketly:profile: unknown: 'staging'"),
        ({"ticketly:profile": "dev"}, "ticketly:domain: required"),
        (
            {
                "ticketly:profile": "dev",
                "ticketly:domain": "x.example.com",
                "ticketly:network": '{"zones": ["a", "b"]}',
            },
            "ticketly:network.zones: must name 3 zones, got 2",
        ),
    ],
)
def test_a_wrong_configuration_makes_nothing(recorded, config, said):
    made = []
    with pytest.raises(pulumi.RunError, match=said):
        recorded(lambda: (made.append(1), program.main())[1], "dev", config)
    assert made == [1]


def guarded(recorded, build):
    def run():
        guard = program.Guard(kept=True)
        guard.watch()
        build()
        pulumi.export("policies", guard.verdict())

    return recorded(run)


TAGS = {"Project": "ticketly", "Stack": "dev", "Component": "x"}


def test_a_resource_that_breaks_a_policy_is_refused_when_it_is_declared(recorded):
    def build():
        aws.vpc.SecurityGroupIngressRule(
            "ssh",
            security_group_id="sg-1",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=22,
            to_port=22,
            tags=TAGS,
        )

    with pytest.raises(PolicyError, match=r"policy world-ports: ssh: opens tcp 22-22 to 0\.0\.0\.0/0"):
        guarded(recorded, build)


def test_a_policy_over_values_that_came_later_is_judged_at_the_end(recorded):
    def build():
        role = aws.iam.Role("r", assume_role_policy='{"Statement": []}', tags=TAGS)
        wide = role.arn.apply(
            lambda _: json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
        )
        aws.iam.RolePolicy("wide", role=role.name, policy=wide)

    with pytest.raises(PolicyError, match=r"policy no-wildcards: wide: allows every action"):
        guarded(recorded, build)
