"""What each reason of a condition means and what a person does about it: the text of docs/reference/conditions.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ticketly_crds.status import ConditionType, Reason

_NOTHING: Final = "Nothing."

CONDITIONS: Final[dict[ConditionType, str]] = {
    ConditionType.READY: "Every service is ready, topics and connectors are as wanted: the platform sells and shows.",
    ConditionType.PROGRESSING: "A change is being rolled out.",
    ConditionType.DEGRADED: "Something needs a person: it will not mend itself, or it hinders the operator.",
    ConditionType.CONNECTORS_READY: "Change capture runs and its replication slots are healthy.",
    ConditionType.TOPICS_READY: "Every topic is there with its partitions, replication and settings.",
    ConditionType.LAG_WITHIN_SLO: "A change is visible to readers within spec.lag.sloSeconds.",
    ConditionType.PAUSED: "The operator looks and reports, and changes nothing.",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """``meaning`` in one sentence, ``action`` what to do; both for the person who reads the condition."""

    meaning: str
    action: str = _NOTHING


EXPLANATIONS: Final[dict[Reason, Explanation]] = {
    # Ready
    Reason.ALL_READY: Explanation("Every service has its pods ready."),
    Reason.SERVICES_NOT_READY: Explanation(
        "At least one service has fewer ready pods than it should, or was not looked at yet.",
        "Read `status.services[].message`; when Progressing says RollingOut, wait.",
    ),
    Reason.INVALID_SPEC: Explanation(
        "The operator cannot read the spec. What runs goes on running as it is.",
        "Correct the fields that the message names.",
    ),
    Reason.INCOMPLETE_SPEC: Explanation(
        "A section is absent that a cluster needs; on a laptop it would mean an embedded component.",
        "Add the sections that the message names.",
    ),
    Reason.SECRET_MISSING: Explanation(
        "A Secret, or a key in it, does not exist in the platform's namespace.",
        "Create what the message names; the operator goes on by itself.",
    ),
    Reason.MIGRATION_PENDING: Explanation(
        "Services wait for their database migration; pods of the old release go on.",
        "Wait; when it fails, Degraded says MigrationFailed.",
    ),
    Reason.CONNECTORS_NOT_READY: Explanation(
        "Services are ready, change capture is not: readers see old data.", "See ConnectorsReady."
    ),
    Reason.TOPICS_NOT_READY: Explanation("Services are ready, a topic is not as wanted.", "See TopicsReady."),
    Reason.DELETING: Explanation(
        "The platform is being deleted, as far as `spec.deletionPolicy` says.", "Wait; it ends also with parts gone."
    ),
    # Progressing
    Reason.ROLLING_OUT: Explanation("Pods of a new release or with new settings are starting.", "Wait."),
    Reason.MIGRATING: Explanation("A database migration runs before the new release rolls out.", "Wait."),
    Reason.SETTLED: Explanation("Nothing is being rolled out."),
    Reason.DEADLINE_EXCEEDED: Explanation(
        "A roll-out made no progress within its deadline. Pods of the old release go on.",
        "Read the message: it is what the child says, such as an image that cannot be pulled."
        " Correct the spec or put the old version back.",
    ),
    # Degraded
    Reason.NOTHING_DEGRADED: Explanation("Nothing needs a person."),
    Reason.MIGRATION_FAILED: Explanation(
        "A migration Job failed. The new release is not rolled out.",
        "Read the Job's log (`kubectl logs job/<name>`), mend the database or the release, delete the Job.",
    ),
    Reason.APPLY_REFUSED: Explanation(
        "The API server refused an object: invalid, forbidden, or owned by another manager.",
        "Read the message; when a permission is missing, apply the operator's roles again.",
    ),
    Reason.CLUSTER_UNREACHABLE: Explanation(
        "The API server did not answer, or not in time.", "Wait; when it stays, look at the API server."
    ),
    Reason.SERVICES_DEGRADED: Explanation(
        "A service does not get its pods ready.", "Read `status.services[].message` and the pod's events and log."
    ),
    # ConnectorsReady
    Reason.ALL_RUNNING: Explanation("Every enabled connector runs, and so do its tasks."),
    Reason.CONNECTOR_STARTING: Explanation(
        "A connector was just made or changed, waits for a migration, is rebuilt, or was not looked at yet.", "Wait."
    ),
    Reason.CONNECTOR_HELD: Explanation(
        "A connector is paused or stopped by `spec.connectors.<name>.state`. Its slot holds back the database's log.",
        "Set the state to running again before the disk of the database is full.",
    ),
    Reason.CONNECT_UNREACHABLE: Explanation(
        "Kafka Connect's REST interface did not answer.",
        "Look at Kafka Connect, `spec.connect.url` and network policies. Capture may run all the same.",
    ),
    Reason.CONNECT_REFUSED: Explanation(
        "Kafka Connect answered that the request is wrong, for example an invalid connector configuration.",
        "Read the message; look at the workers' plugins and their DirectoryConfigProvider.",
    ),
    Reason.CONNECTOR_RETRYING: Explanation(
        "A task failed for a reason that may pass; it is restarted with growing pauses.",
        "Wait; `status.connectors[].nextRestartTime` tells until when, `message` why.",
    ),
    Reason.RESTARTS_EXHAUSTED: Explanation(
        "A task failed more often than `maxRestarts` between two healthy periods.",
        "Mend the cause in `status.connectors[].message`, then restart the connector.",
    ),
    Reason.SLOT_LOST: Explanation(
        "The replication slot is gone or its log is: changes are missing, and the operator does not hide the gap.",
        "Set `slot.policy` to rebuild: new slot, full snapshot, next generation.",
    ),
    Reason.SLOT_RETAINING: Explanation(
        "The slot holds back more log than `retainedBytesWarn`; the disk of the database may fill.",
        "Find out why the connector does not read; `status.connectors[].slot.secondsToFull` tells how long there is.",
    ),
    Reason.SLOT_UNREADABLE: Explanation(
        "The operator could not read `pg_replication_slots`.",
        "Look at the database, at the role ticketly_cdc and at network policies.",
    ),
    Reason.AUTHENTICATION_FAILED: Explanation(
        "The database refused the connector's login or role.",
        "Correct the key cdc-password of the Secret, the role's rights or pg_hba.conf.",
    ),
    Reason.SCHEMA_REFUSED: Explanation(
        "Publication, table, database or configuration is not what the connector needs.",
        "See that migrations have run and that nobody dropped the publication.",
    ),
    # TopicsReady
    Reason.ALL_PRESENT: Explanation("Every topic is there with its settings."),
    Reason.KAFKA_UNREACHABLE: Explanation(
        "The brokers did not answer, or were not asked yet.",
        "Look at the brokers, `spec.kafka.bootstrapServers`, its security section and network policies.",
    ),
    Reason.TOPIC_REFUSED: Explanation(
        "The brokers refused to make or change a topic, or the operator is paused and topics are missing.",
        "Read the message: mostly rights, or fewer brokers than `spec.kafka.replicationFactor`.",
    ),
    Reason.PARTITIONS_NEED_ACKNOWLEDGEMENT: Explanation(
        "More partitions are wanted for a keyed topic. Growing it breaks the order of its keys once.",
        "Run the `kubectl annotate` command of the message when that is acceptable, best without traffic.",
    ),
    Reason.PARTITIONS_CANNOT_SHRINK: Explanation(
        "The topic has more partitions than wanted, and Kafka cannot take partitions away.",
        "Write the number it has into `spec.kafka.topics`.",
    ),
    Reason.REPLICATION_DIFFERS: Explanation(
        "The topic's replication factor is not `spec.kafka.replicationFactor`; the operator does not move replicas.",
        "Reassign with Kafka's own tool, or write the number it has into the spec.",
    ),
    # LagWithinSLO
    Reason.WITHIN_SLO: Explanation("The measured 99th percentile is within the objective."),
    Reason.BEYOND_SLO: Explanation(
        "The measured 99th percentile is beyond the objective: readers wait.",
        "Look at ConnectorsReady, at the consumers' lag and at the load of event query.",
    ),
    Reason.NO_MEASUREMENT: Explanation(
        "No canary arrived, or none was sent yet.", "See that event command and event query are ready."
    ),
    Reason.PROBE_DISABLED: Explanation("`spec.lag.probe` is false.", "Set it to true to know."),
    # Paused
    Reason.PAUSED_BY_ANNOTATION: Explanation(
        "The annotation ticketly.io/pause stands.", "Remove it: `kubectl annotate tkp <name> ticketly.io/pause-`."
    ),
    Reason.NOT_PAUSED: Explanation("The operator works."),
}
