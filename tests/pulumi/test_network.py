"""The network and the keys, on mocks."""

from __future__ import annotations

import json

import pytest

from ticketly_infra.keys import Keys, KeysArgs
from ticketly_infra.network import Network, NetworkArgs, bucket_endpoint_policy

KEY = "arn:aws:kms:ap-south-1:123456789012:key/1"


@pytest.fixture(scope="module")
def made(recorded, scope_of):
    return {
        profile: recorded(lambda profile=profile: Network(NetworkArgs(scope_of(profile), KEY)), profile).resources
        for profile in ("dev", "prod")
    }


def test_there_are_a_public_and_a_private_subnet_in_each_of_three_zones(made):
    subnets = made["prod"].of("ec2/subnet:Subnet")
    places = [(one["inputs"]["cidrBlock"], one["inputs"]["availabilityZone"][-1]) for one in subnets]
    assert sorted(places) == [
        ("10.0.0.0/20", "a"),
        ("10.0.16.0/20", "b"),
        ("10.0.32.0/20", "c"),
        ("10.0.48.0/20", "a"),
        ("10.0.64.0/20", "b"),
        ("10.0.80.0/20", "c"),
    ]
    assert not any(one["inputs"]["mapPublicIpOnLaunch"] for one in subnets)


@pytest.mark.parametrize(("profile", "gateways"), [("dev", 1), ("prod", 3)])
def test_private_subnets_leave_through_a_gateway_never_directly(made, profile, gateways):
    resources = made[profile]
    nats = resources.of("ec2/natGateway:NatGateway")
    assert len(nats) == gateways
    routes = [one["inputs"] for one in resources.of("ec2/route:Route")]
    assert len([route for route in routes if "gatewayId" in route]) == 1
    through = [route["natGatewayId"] for route in routes if "natGatewayId" in route]
    assert len(through) == 3
    assert set(through) == {one["id"] for one in nats}


def test_a_gateway_stands_in_the_public_subnet_of_its_zone(made):
    resources = made["prod"]
    subnets = {one["id"]: one["inputs"] for one in resources.of("ec2/subnet:Subnet")}
    homes = [subnets[one["inputs"]["subnetId"]] for one in resources.of("ec2/natGateway:NatGateway")]
    assert sorted(home["cidrBlock"] for home in homes) == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]


def test_the_default_group_opens_nothing(made):
    group = made["dev"].one("ec2/defaultSecurityGroup:DefaultSecurityGroup")["inputs"]
    assert (group.get("ingress", []), group.get("egress", [])) == ([], [])


def test_all_traffic_is_logged_under_a_key(made):
    resources = made["dev"]
    assert resources.one("ec2/flowLog:FlowLog")["inputs"]["trafficType"] == "ALL"
    logs = resources.one("cloudwatch/logGroup:LogGroup")["inputs"]
    assert (logs["kmsKeyId"], logs["retentionInDays"]) == (KEY, 14)


def test_interface_endpoints_are_a_choice_and_take_tls_from_inside_only(made):
    kinds = [one["inputs"]["vpcEndpointType"] for one in made["prod"].of("ec2/vpcEndpoint:VpcEndpoint")]
    assert sorted(set(kinds)) == ["Gateway", "Interface"]
    assert [one["inputs"]["vpcEndpointType"] for one in made["dev"].of("ec2/vpcEndpoint:VpcEndpoint")] == ["Gateway"]
    rule = made["prod"].one("vpc/securityGroupIngressRule:SecurityGroupIngressRule")["inputs"]
    assert (rule["cidrIpv4"], rule["fromPort"], rule["toPort"]) == ("10.0.0.0/16", 443, 443)


def test_the_bucket_endpoint_leads_to_own_buckets_and_to_aws(scope_of):
    own, theirs = json.loads(bucket_endpoint_policy(scope_of("dev")))["Statement"]
    assert own["Condition"] == {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    assert "s3:*" not in own["Action"]
    assert theirs["Action"] == "s3:GetObject"


def test_keys_are_rotated_protected_and_replaced_only_by_one_that_stands(recorded, scope_of):
    keys = recorded(lambda: Keys(KeysArgs(scope_of("prod")))).resources.of("kms/key:Key")
    assert len(keys) == 2
    for key in keys:
        assert key["inputs"]["enableKeyRotation"]
        assert key["inputs"]["deletionWindowInDays"] == 30
        assert key["protect"]
        assert key["createsFirst"]


def test_protection_can_be_given_up_on_purpose(recorded, scope_of):
    keys = recorded(lambda: Keys(KeysArgs(scope_of("dev", protect="false")))).resources.of("kms/key:Key")
    assert [key["protect"] for key in keys] == [False, False]
