"""Liveness, readiness and metrics of a process that answers requests."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.platform import telemetry
from app.platform.probes import alive
from app.platform.problems import MEDIA_TYPE, ProblemDocument

router = APIRouter(tags=["operation"])
_NOT = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}


@router.get(
    "/healthz",
    response_class=PlainTextResponse,
    responses={503: {**_NOT, "description": "Part of it is dead"}},
)
async def healthz() -> str:
    """The process answers, and every worker in it does its rounds. Who restarts processes asks this."""
    return alive()


@router.get(
    "/readyz", response_class=PlainTextResponse, responses={503: {**_NOT, "description": "Not ready"}}
)
def readyz(request: Request) -> str:
    """`ready`, then a line of what each check found. Who sends requests here or elsewhere asks this."""
    answer: str = request.app.state.readiness.require()
    return answer


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Prometheus metrics, of the process and of the service; no label ever holds an address."""
    found = telemetry.exposition(request.app.state.metrics)
    return Response(found, media_type=CONTENT_TYPE_LATEST)
