"""What one running service shares with its routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from app.platform.announcer import Announcer
from app.platform.clock import Clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings


@dataclass(frozen=True)
class Platform:
    """Set once in `create_app`. The two `wake_` say that a worker may have something to do.

    `announcer` tells requests that wait for a list's next version.
    """

    settings: Settings
    database: Database
    clock: Clock
    keyring: Keyring
    wake_publisher: Callable[[], None]
    wake_exporter: Callable[[], None]
    announcer: Announcer


def platform_of(request: Request) -> Platform:
    """The platform of the application that got this request."""
    platform: Platform = request.app.state.platform
    return platform


Context = Annotated[Platform, Depends(platform_of)]


def private(response: Response) -> None:
    """A route's dependency: no cache keeps what it answers."""
    response.headers["Cache-Control"] = "no-store"
