"""The whole program: which components a stack has and what each gets from the others. The only place that knows all.

Both profiles have the same edge, database, queues, secrets and Keycloak. `prod` adds EKS, MSK, ElastiCache and
DocumentDB; `dev` adds k3s and one data node in their places.

Over 300 lines because it is the composition root: what gets what is read in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import alarms, dashboards, exports, firewall, identity, roles, workloads
from ticketly_infra.alarms import Alarm
from ticketly_infra.cache import Cache, CacheArgs
from ticketly_infra.cluster import Cluster, ClusterArgs
from ticketly_infra.config import NAMESPACE, ConfigError, Settings, load
from ticketly_infra.containers import Containers, ContainersArgs
from ticketly_infra.content import Content, ContentArgs
from ticketly_infra.data_node import METRICS_NAMESPACE, DataNode, DataNodeArgs
from ticketly_infra.database import Database, DatabaseArgs
from ticketly_infra.document_store import DocumentStore, DocumentStoreArgs
from ticketly_infra.domains import Domains, DomainsArgs
from ticketly_infra.edge import Edge, EdgeArgs
from ticketly_infra.guard import Guard
from ticketly_infra.identity import Identity, IdentityArgs
from ticketly_infra.kafka import Kafka, KafkaArgs
from ticketly_infra.keys import Keys, KeysArgs
from ticketly_infra.mail import Mail, MailArgs
from ticketly_infra.monitoring import Monitoring, MonitoringArgs, Topic, TopicArgs
from ticketly_infra.naming import Scope
from ticketly_infra.network import Network, NetworkArgs
from ticketly_infra.perimeter import Perimeter, PerimeterArgs
from ticketly_infra.queues import Queues, QueuesArgs
from ticketly_infra.registry import Registry, RegistryArgs
from ticketly_infra.roles import Roles, RolesArgs
from ticketly_infra.scheduler import Scheduler, SchedulerArgs
from ticketly_infra.secrets import Kept, Secrets, SecretsArgs
from ticketly_infra.small_cluster import SmallCluster, SmallClusterArgs
from ticketly_infra.storage import Storage, StorageArgs
from ticketly_infra.workloads import Workloads, WorkloadsArgs

_CONNECT_GROUP: Final = "nodes"


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every other part stands on."""

    scope: Scope
    keys: Keys
    network: Network
    perimeter: Perimeter
    secrets: Secrets
    domains: Domains
    storage: Storage
    topic: Topic
    registry: Registry
    containers: Containers


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the profile keeps its streams, documents and cache, and what is watched there."""

    broker: exports.Broker
    kafka: Kept
    mongo: Kept
    redis: Kept
    alarms: list[Alarm]
    outputs: dict[str, Any]


def settings() -> Settings:
    """The settings of the selected stack. Raises ConfigError."""
    raw = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
    prefix = f"{NAMESPACE}:"
    values = {key.removeprefix(prefix): value for key, value in raw.items() if key.startswith(prefix)}
    return load(pulumi.get_stack(), values, str(raw.get("aws:region", "")))


def main() -> None:
    """Build everything the selected stack has. Raises pulumi.RunError, which is told without a traceback."""
    try:
        found = settings()
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from None
    guard = Guard(kept=found.protect)
    guard.watch()
    build(Scope(found, aws.get_caller_identity().account_id))
    pulumi.export("policies", guard.verdict())


def build(scope: Scope) -> None:
    """Make the components and name the outputs."""
    base = _foundation(scope)
    passwords = base.secrets.generated(
        "postgres", [f"{word}-password" for word in (*roles.SERVICES, roles.CAPTURE)], description="Ticketly: roles"
    )
    oidc = base.secrets.generated("oidc", identity.CLIENTS, description="Ticketly: service clients of the realm")
    keycloak = base.secrets.generated("keycloak", ["database-password", "admin-password"])
    stripe = base.secrets.from_people(
        "stripe", ["secret-key", "webhook-secret"], description="Ticketly: keys of the payment provider"
    )
    smtp = base.secrets.from_people("mail", ["username", "password"], description="Ticketly: login of the mail relay")

    server = Database(
        DatabaseArgs(
            scope,
            base.network.vpc_id,
            base.network.private_subnet_ids,
            base.keys.data_arn,
            _database_clients(base.perimeter),
        )
    )
    queues = Queues(QueuesArgs(scope, base.keys.data_arn))
    scheduler = Scheduler(SchedulerArgs(scope, queues, base.keys.data_arn))
    Content(ContentArgs(scope, base.storage, base.domains))
    edge = Edge(
        EdgeArgs(
            scope,
            base.network.vpc_id,
            base.network.public_subnet_ids,
            base.perimeter.edge,
            base.domains,
            base.storage,
            base.keys.logs_arn,
        )
    )
    setup = Roles(
        RolesArgs(
            scope,
            base.containers,
            server,
            passwords,
            keycloak,
            base.keys.data_arn,
            base.network.private_subnet_ids,
            base.perimeter.setup,
        )
    )
    home = Identity(
        IdentityArgs(
            scope,
            base.containers,
            server,
            keycloak,
            oidc,
            base.keys.data_arn,
            f"{base.registry.prefix}/keycloak",
            base.registry.arns["keycloak"],
            base.network.private_subnet_ids,
            base.perimeter.identity,
            edge.identity,
            edge.listener,
        )
    )
    policies = workloads.policies(scope, base.storage, queues, scheduler, base.keys.data_arn)
    cluster = _cluster(base, edge, policies)
    stores = _large_stores(base) if scope.settings.profile == "prod" else _small_stores(base, passwords)
    mail = Mail(MailArgs(scope, base.domains.zone_id, base.topic.arn))
    _watch(base, server, queues, edge, stores)
    exports.export(
        exports.ExportArgs(
            scope=scope,
            registry=base.registry.prefix,
            issuer=home.issuer,
            database_host=server.host,
            broker=stores.broker,
            bucket=base.storage.images.bucket,
            scheduling=exports.Scheduling(scheduler.group_name, scheduler.role_arn, queues.urls),
            mail_host=mail.host,
            stores=exports.Stores(passwords, oidc, stripe, smtp, stores.mongo, stores.redis, stores.kafka),
            more={
                **cluster,
                **stores.outputs,
                "databaseSetupCommand": setup.command,
                "identityAdminArn": keycloak.arn,
                "imagesUrl": f"https://{scope.settings.images_host}",
                "mailSenderPolicyArn": mail.sender_policy_arn,
                "nameServers": base.domains.name_servers,
                "registry": base.registry.prefix,
                "vpcId": base.network.vpc_id,
            },
        )
    )


def _foundation(scope: Scope) -> Foundation:
    keys = Keys(KeysArgs(scope))
    network = Network(NetworkArgs(scope, keys.logs_arn))
    return Foundation(
        scope,
        keys,
        network,
        Perimeter(PerimeterArgs(scope, network.vpc_id, network.cidr)),
        Secrets(SecretsArgs(scope, keys.data_arn)),
        Domains(DomainsArgs(scope)),
        Storage(StorageArgs(scope, keys.data_arn)),
        Topic(TopicArgs(scope, keys.logs_arn)),
        Registry(RegistryArgs(scope, keys.data_arn)),
        Containers(ContainersArgs(scope, keys.logs_arn)),
    )


def _database_clients(perimeter: Perimeter) -> dict[str, pulumi.Input[str]]:
    found: dict[str, pulumi.Input[str]] = {
        "nodes": perimeter.nodes,
        "identity": perimeter.identity,
        "setup": perimeter.setup,
    }
    if perimeter.data is not None:
        found["data"] = perimeter.data.id
    return found


def _cluster(base: Foundation, edge: Edge, policies: dict[str, pulumi.Output[str]]) -> dict[str, Any]:
    """Make the profile's cluster; returns its outputs."""
    scope = base.scope
    if scope.settings.profile == "prod":
        cluster = Cluster(
            ClusterArgs(
                scope,
                base.network.private_subnet_ids,
                base.perimeter.nodes,
                base.keys.data_arn,
                base.keys.logs_arn,
                edge.ingress,
            )
        )
        Workloads(WorkloadsArgs(scope, cluster.name, cluster.cluster.arn, policies))
        return {"clusterName": cluster.name, "clusterEndpoint": cluster.cluster.endpoint}
    small = SmallCluster(
        SmallClusterArgs(
            scope,
            base.network.private_subnet_ids,
            base.perimeter.nodes,
            base.keys.data_arn,
            edge.ingress,
            base.secrets,
            list(base.registry.arns.values()),
            policies,
            base.network.cidr,
        )
    )
    return {"clusterServerId": small.server_id}


def _large_stores(base: Foundation) -> Stores:
    scope, place = base.scope, (base.network.vpc_id, base.network.private_subnet_ids, base.keys.data_arn)
    clients: dict[str, pulumi.Input[str]] = {_CONNECT_GROUP: base.perimeter.nodes}
    kafka = Kafka(KafkaArgs(scope, *place, base.keys.logs_arn, clients, base.secrets))
    documents = DocumentStore(DocumentStoreArgs(scope, *place, clients, base.secrets))
    cache = Cache(CacheArgs(scope, *place, clients, base.secrets))
    watched = [*alarms.kafka(kafka.name), *alarms.cache(list(cache.nodes))]
    if documents.identifier is not None:
        watched += alarms.document_store(documents.identifier)
    return Stores(
        exports.Broker(kafka.bootstrap_servers, "SASL_SSL", 3, exports.CONNECT_URL),
        kafka.secret,
        documents.secret,
        cache.secret,
        watched,
        {},
    )


def _small_stores(base: Foundation, passwords: Kept) -> Stores:
    scope, perimeter = base.scope, base.perimeter
    if perimeter.data is None:
        raise ValueError("profile dev has a group for its data node")
    node = DataNode(
        DataNodeArgs(
            scope,
            base.network.private_subnet_ids[0],
            scope.settings.zones[0],
            perimeter.data,
            base.keys.data_arn,
            {"nodes": perimeter.nodes},
            base.secrets,
            passwords,
            exports.POSTGRES,
        )
    )
    return Stores(
        exports.Broker(node.bootstrap_servers, "SASL_PLAINTEXT", 1, node.connect_url),
        node.kafka,
        node.mongo,
        node.redis,
        list(alarms.data_node(scope.settings.stack, node.id, METRICS_NAMESPACE)),
        {"dataNodeId": node.id},
    )


def _watch(base: Foundation, server: Database, queues: Queues, edge: Edge, stores: Stores) -> None:
    scope = base.scope
    region = scope.region
    rules = [rule["name"] for rule in firewall.rules(limit=100, sign_in_limit=100, auth_host="")]

    def watched() -> Iterator[Alarm]:
        yield from alarms.database(scope.settings, server.identifier)
        yield from alarms.queues(
            {word: queue.name for word, queue in queues.queues.items()},
            {word: queue.name for word, queue in queues.dead.items()},
        )
        yield from alarms.edge(
            edge.arn_suffix, edge.ingress.arn_suffix, edge.identity.arn_suffix, edge.firewall.name, region
        )
        yield from stores.alarms

    Monitoring(
        MonitoringArgs(
            scope,
            base.topic.arn,
            watched(),
            {
                "load-balancer": pulumi.Output.all(
                    edge.arn_suffix, edge.ingress.arn_suffix, edge.identity.arn_suffix
                ).apply(lambda found: dashboards.balancer(region, *found)),
                "database": server.identifier.apply(lambda found: dashboards.database(region, found)),
                "firewall": edge.firewall.name.apply(lambda found: dashboards.firewall(region, found, rules)),
            },
        )
    )
