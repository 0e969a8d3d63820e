"""Alarms with somebody who hears them, dashboards, and a budget.

The topic is encrypted; only services of this account may publish to it, over TLS. Without `ticketly:alarmEmail`
(profile `dev` only) alarms change their colour and nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from ticketly_infra import documents
from ticketly_infra.alarms import Alarm
from ticketly_infra.naming import Scope, component_type

_COMPONENT: Final = "monitoring"
_PUBLISHERS: Final = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com", "ses.amazonaws.com")


@dataclass(frozen=True, slots=True)
class TopicArgs:
    """`logs_key_arn` encrypts what is told."""

    scope: Scope
    logs_key_arn: pulumi.Input[str]


class Topic(pulumi.ComponentResource):
    """`arn`: where alarms, bounces and the budget speak."""

    def __init__(self, args: TopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the topic."""
        scope = args.scope
        name = scope.name("alarms")
        super().__init__(component_type("Topic"), name, None, opts)
        topic = aws.sns.Topic(
            name, kms_master_key_id=args.logs_key_arn, tags=scope.tags(_COMPONENT), opts=scope.inside(self)
        )
        self.arn: pulumi.Output[str] = topic.arn
        aws.sns.TopicPolicy(
            name,
            arn=topic.arn,
            policy=topic.arn.apply(
                lambda arn: documents.policy(
                    documents.tls_only("sns:Publish", arn),
                    documents.allow_service(
                        _PUBLISHERS, "sns:Publish", arn, conditions=documents.only_from(scope.account)
                    ),
                )
            ),
            opts=scope.inside(self),
        )
        if scope.settings.alarm_email:
            aws.sns.TopicSubscription(
                name,
                topic=topic.arn,
                protocol="email",
                endpoint=scope.settings.alarm_email,
                opts=scope.inside(self),
            )
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, slots=True)
class MonitoringArgs:
    """`alarms` and `dashboards` (word -> body) as data."""

    scope: Scope
    topic_arn: pulumi.Input[str]
    alarms: Iterable[Alarm]
    dashboards: dict[str, pulumi.Input[str]]


class Monitoring(pulumi.ComponentResource):
    """Alarms, dashboards, budget."""

    def __init__(self, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make them."""
        scope = args.scope
        super().__init__(component_type("Monitoring"), scope.name(_COMPONENT), None, opts)
        self._args = args
        for alarm in args.alarms:
            self._alarm(alarm)
        for word, body in args.dashboards.items():
            name = scope.name(word)
            aws.cloudwatch.Dashboard(name, dashboard_name=name, dashboard_body=body, opts=scope.inside(self))
        self._budget()
        self.register_outputs({})

    def _alarm(self, alarm: Alarm) -> None:
        scope = self._args.scope
        watched: dict[str, Any] = {
            "metric_name": alarm.metric,
            "namespace": alarm.namespace,
            "dimensions": alarm.dimensions,
            "period": alarm.period,
        }
        if alarm.query:
            (name,) = alarm.dimensions.values()
            expression = pulumi.Output.from_input(name).apply(lambda found: alarm.query.format(name=found))
            watched = {
                "metric_queries": [
                    {"id": "worst", "expression": expression, "period": alarm.period, "return_data": True}
                ]
            }
        elif alarm.statistic.startswith("p"):
            watched["extended_statistic"] = alarm.statistic
        else:
            watched["statistic"] = alarm.statistic
        aws.cloudwatch.MetricAlarm(
            scope.name(alarm.word),
            alarm_description=alarm.meaning,
            comparison_operator="GreaterThanThreshold" if alarm.above else "LessThanThreshold",
            threshold=alarm.threshold,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.periods,
            treat_missing_data=alarm.silence,
            alarm_actions=[self._args.topic_arn],
            ok_actions=[self._args.topic_arn],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
            **watched,
        )

    def _budget(self) -> None:
        """A month of this stack, by its tag: told at 80 % spent and when the forecast passes the whole."""
        scope = self._args.scope
        aws.budgets.Budget(
            scope.name("budget"),
            budget_type="COST",
            limit_amount=str(scope.settings.monthly_budget_usd),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:Stack${scope.settings.stack}"]}],
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": kind,
                    "threshold": threshold,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_sns_topic_arns": [self._args.topic_arn],
                }
                for kind, threshold in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            tags=scope.tags(_COMPONENT),
            opts=scope.inside(self),
        )
