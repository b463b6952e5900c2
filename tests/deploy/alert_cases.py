"""What each alert is for, as series of a service that is in order but for one thing."""

from dataclasses import dataclass, field

MINUTES = 150
"""How long every series is, a sample each minute."""


def steady(value: float) -> str:
    """The same all the time."""
    return f"{value}x{MINUTES}"


def growing(by: float, start: float = 0) -> str:
    """More with each minute."""
    return f"{start}+{by}x{MINUTES}"


IN_ORDER = {
    'up{job="wardlist-api", instance="api:8080"}': steady(1),
    "wardlist_tuf_timestamp_age_seconds": steady(300),
    'wardlist_tuf_expires_seconds{role="timestamp"}': steady(3300),
    'wardlist_tuf_expires_seconds{role="snapshot"}': steady(8 * 86400),
    'wardlist_tuf_expires_seconds{role="root"}': steady(200 * 86400),
    'wardlist_key_due_seconds{role="token"}': steady(100 * 86400),
    'wardlist_leader{name="publisher", instance="a"}': steady(1),
    'wardlist_leader{name="publisher", instance="b"}': steady(0),
    'wardlist_leader{name="duties", instance="c"}': steady(1),
    "wardlist_publisher_term": steady(3),
    'wardlist_worker_steps_failed_total{worker="publisher", step="store"}': steady(2),
    'wardlist_worker_rounds_total{worker="publisher", outcome="done"}': growing(100),
    'wardlist_worker_rounds_total{worker="publisher", outcome="failed"}': steady(1),
    'wardlist_brake_engaged_seconds{list="national-url"}': steady(0),
    'wardlist_store_reachable{kind="s3"}': steady(1),
    "wardlist_log_leaves": growing(3, 100),
    "wardlist_log_leaves_waiting": steady(1),
    "wardlist_log_checkpoint_leaves": growing(3, 97),
    "wardlist_log_checkpoint_age_seconds": steady(60),
    'wardlist_log_cosignature_missing{witness="ombudsman.example"}': steady(0),
    "wardlist_log_cosignatures_lacking": steady(0),
    'wardlist_provider_seconds_behind{list="national-url", organisation="isp-1"}': steady(60),
    'wardlist_review_queue_oldest_seconds{list="national-url"}': steady(7200),
    'wardlist_takedowns_overdue{late="removal"}': steady(0),
    "wardlist_appeals_overdue": steady(0),
    "wardlist_erasures_overdue": steady(0),
    "wardlist_erasures_unfinished": steady(0),
    'wardlist_outbox_oldest_seconds{outbox="webhooks"}': steady(30),
    'wardlist_outbox_failed_messages{outbox="webhooks"}': steady(2),
    'wardlist_http_requests_total{status="2xx", route="/v1/entries"}': growing(600),
    'wardlist_http_requests_total{status="5xx", route="/v1/entries"}': growing(1),
    'wardlist_http_refusals_total{status="401"}': growing(60),
    'wardlist_figures_failed{group="reviews"}': steady(0),
    "wardlist_backup_age_seconds": steady(3600),
}
"""No alert fires here. Without any series at all some must: nothing is not in order."""


@dataclass(frozen=True)
class Case:
    """One alert: what differs from `IN_ORDER` (None takes a series away), and what is said then."""

    alert: str
    differs: dict[str, str | None]
    summary: str
    labels: dict[str, str] = field(default_factory=dict)
    severity: str = "page"


_ROLE = 'wardlist_tuf_expires_seconds{role="%s"}'
CASES = [
    Case(
        "TimestampStale",
        {"wardlist_tuf_timestamp_age_seconds": steady(1500)},
        "The lists' timestamp was last signed 25m 0s ago; after an hour providers refuse it",
    ),
    Case(
        "TimestampExpired",
        {_ROLE % "timestamp": steady(-5)},
        "The lists' timestamp has expired; providers keep the version they have",
    ),
    Case(
        "MetadataNearExpiry",
        {_ROLE % "snapshot": steady(2 * 86400)},
        "TUF metadata of snapshot expires in 2d 0h 0m 0s and was not signed anew",
        {"role": "snapshot"},
    ),
    Case(
        "RootNearExpiry",
        {_ROLE % "root": steady(40 * 86400)},
        "TUF's root expires in 40d 0h 0m 0s; a new one is signed offline",
        {"role": "root"},
        "ticket",
    ),
    Case(
        "KeyNearExpiry",
        {'wardlist_key_due_seconds{role="token"}': steady(86400)},
        "The key token is to be changed in 1d 0h 0m 0s",
        {"role": "token"},
        "ticket",
    ),
    Case(
        "NoLeader", {'wardlist_leader{name="publisher", instance="a"}': steady(0)}, "No publisher is at work"
    ),
    Case(
        "NoDuties",
        {'wardlist_leader{name="duties", instance="c"}': None},
        "Nobody looks at takedowns and appeals",
    ),
    Case(
        "LeaderChangesOften",
        {"wardlist_publisher_term": growing(1)},
        "The publisher changed 30 times in half an hour",
        severity="ticket",
    ),
    Case(
        "PublisherFails",
        {'wardlist_worker_steps_failed_total{worker="publisher", step="store"}': growing(2)},
        "The publisher's step store fails again and again",
        {"step": "store"},
    ),
    Case(
        "BrakeEngaged",
        {'wardlist_brake_engaged_seconds{list="national-url"}': steady(5 * 3600)},
        "A version of national-url has been held for 5h 0m 0s",
        {"list": "national-url"},
    ),
    Case(
        "StoreUnreachable",
        {'wardlist_store_reachable{kind="s3"}': steady(0)},
        "The object store takes nothing",
    ),
    Case(
        "LogStuck",
        {"wardlist_log_leaves": steady(100), "wardlist_log_checkpoint_leaves": steady(100)},
        "Leaves wait for their place and the log does not grow",
    ),
    Case(
        "CheckpointStale",
        {"wardlist_log_checkpoint_age_seconds": steady(3 * 3600)},
        "The log's checkpoint was last signed 3h 0m 0s ago",
    ),
    Case(
        "CheckpointBehind",
        {"wardlist_log_checkpoint_leaves": steady(97), "wardlist_log_leaves": growing(1, 100)},
        "The checkpoint lacks 153 leaves of the database",
    ),
    Case(
        "WitnessMissing",
        {'wardlist_log_cosignature_missing{witness="ombudsman.example"}': steady(1)},
        "The witness ombudsman.example has not cosigned for half an hour",
        {"witness": "ombudsman.example"},
        "ticket",
    ),
    Case(
        "QuorumOfWitnessesMissing",
        {"wardlist_log_cosignatures_lacking": steady(1)},
        "The checkpoint lacks 1 cosignatures to its quorum; no erasure is finished meanwhile",
    ),
    Case(
        "ProviderBehind",
        {'wardlist_provider_seconds_behind{list="national-url", organisation="isp-1"}': steady(3 * 3600)},
        "The provider isp-1 is 3h 0m 0s behind on national-url",
        {"list": "national-url", "organisation": "isp-1"},
        "ticket",
    ),
    Case(
        "QueueOverAge",
        {'wardlist_review_queue_oldest_seconds{list="national-url"}': steady(30 * 3600)},
        "An entry of national-url has waited for its decision for 1d 6h 0m 0s",
        {"list": "national-url"},
        "ticket",
    ),
    Case(
        "TakedownOverdue",
        {'wardlist_takedowns_overdue{late="removal"}': steady(4)},
        "4 takedowns are late: removal",
        {"late": "removal"},
        "ticket",
    ),
    Case(
        "AppealOverdue",
        {"wardlist_appeals_overdue": steady(1)},
        "1 appeals are past the day they should be decided",
        severity="ticket",
    ),
    Case("ErasureOverdue", {"wardlist_erasures_overdue": steady(2)}, "2 entries should have been erased"),
    Case(
        "ErasureUnfinished",
        {"wardlist_erasures_unfinished": steady(1)},
        "1 erased entries still have their secret",
        severity="ticket",
    ),
    Case(
        "ProcessDown",
        {'up{job="wardlist-api", instance="api:8080"}': steady(0)},
        "wardlist-api at api:8080 does not answer",
        {"job": "wardlist-api", "instance": "api:8080"},
    ),
    Case(
        "WorkerSilent",
        {'wardlist_worker_rounds_total{worker="publisher", outcome="done"}': steady(7)},
        "publisher has ended no round for five minutes",
        {"worker": "publisher"},
    ),
    Case(
        "WorkerFails",
        {'wardlist_worker_rounds_total{worker="publisher", outcome="failed"}': growing(10)},
        "Rounds of publisher fail again and again",
        {"worker": "publisher"},
        "ticket",
    ),
    Case(
        "OutboxStuck",
        {'wardlist_outbox_oldest_seconds{outbox="webhooks"}': steady(7200)},
        "A message of webhooks has waited for 2h 0m 0s",
        {"outbox": "webhooks"},
        "ticket",
    ),
    Case(
        "DeliveriesFail",
        {'wardlist_outbox_failed_messages{outbox="webhooks"}': steady(50)},
        "50 messages of webhooks were given up in a day",
        {"outbox": "webhooks"},
        "ticket",
    ),
    Case(
        "ErrorsHigh",
        {'wardlist_http_requests_total{status="5xx", route="/v1/entries"}': growing(200)},
        "25% of requests end in a failure of ours",
    ),
    Case(
        "RefusalsHigh",
        {'wardlist_http_refusals_total{status="401"}': growing(3000)},
        "50 requests a second are refused with 401",
        {"status": "401"},
        "ticket",
    ),
    Case(
        "FiguresMissing",
        {'wardlist_figures_failed{group="reviews"}': steady(1)},
        "The figures of reviews cannot be read, so no rule sees them",
        {"group": "reviews"},
        "ticket",
    ),
    Case(
        "BackupOld", {"wardlist_backup_age_seconds": steady(40 * 3600)}, "There is no backup of the last day"
    ),
    Case("BackupOld", {"wardlist_backup_age_seconds": None}, "There is no backup of the last day"),
    Case(
        "NoLeader",
        {
            'wardlist_leader{name="publisher", instance="a"}': None,
            'wardlist_leader{name="publisher", instance="b"}': None,
        },
        "No publisher is at work",
    ),
]
