"""Liveness, readiness and metrics."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.platform.context import Context
from app.platform.problems import Problem

router = APIRouter(tags=["operation"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    """The process answers."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready"}})
def readyz(context: Context) -> str:
    """The database answers and the repository's timestamp is there."""
    try:
        with context.database.reading() as session:
            session.execute(text("SELECT size FROM log_head"))
    except SQLAlchemyError:
        raise Problem("unavailable", "the database does not answer") from None
    if not (context.settings.public / "metadata" / "timestamp.json").exists():
        raise Problem("unavailable", "the list repository is missing; run `wardlist init`")
    return "ready\n"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Prometheus metrics, of the process and of the service; no label ever holds an address."""
    found = generate_latest() + generate_latest(request.app.state.metrics)
    return Response(found, media_type=CONTENT_TYPE_LATEST)
