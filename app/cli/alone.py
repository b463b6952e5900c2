"""`wardlist publisher` and `wardlist worker`: one part of the service in a process of its own."""

from typing import Annotated

import typer

Metrics = Annotated[
    str | None,
    typer.Option("--metrics", metavar="HOST:PORT", help="Answer /metrics, /healthz and /readyz there."),
]


def publisher(metrics: Metrics = None) -> None:
    """Run the publisher until stopped; where another one is at work, stand by and take over when it ends."""
    from app.cli import serving

    serving.publisher(metrics)


def worker(metrics: Metrics = None) -> None:
    """Run what is sent (webhooks, notices, messages to peers), exports and deadlines until stopped."""
    from app.cli import serving

    serving.worker(metrics)
