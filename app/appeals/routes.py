"""Appeals: open to anyone to file and, with the secret, to read; decided by review bodies."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.appeals import decisions, service
from app.appeals.schemas import Appeals, AppealStatus, DecisionView, FiledAppeal, NewAppeal, NewDecision
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.context import Context, private
from app.platform.problems import MEDIA_TYPE, Problem, ProblemDocument

router = APIRouter(prefix="/v1/appeals", tags=["appeals"], dependencies=[Depends(private)])
Body = Annotated[Caller, Depends(Access(Scope.APPEALS_DECIDE))]
Id = Annotated[str, Path(alias="appeal", max_length=64)]
_bearer = HTTPBearer(auto_error=False, scheme_name="AppealSecret", bearerFormat="the secret of the appeal")
Secret = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {
        "model": ProblemDocument,
        "content": {MEDIA_TYPE: {}},
        "description": "Too many from this address, or from all",
    }
}


def throttled(request: Request, context: Context) -> None:
    """Let in no more than the settings say. Raises a 429 problem."""
    address = request.client.host if request.client else ""
    wait = request.app.state.appeals_throttle.take(address, context.clock())
    if wait:
        detail = "nothing was kept; file it again after the seconds of Retry-After"
        raise Problem("too-many-requests", detail, headers={"Retry-After": str(wait)})


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(throttled)],
    response_model_exclude_none=True,
    responses=TOO_MANY,
)
def file(context: Context, new: NewAppeal, response: Response) -> FiledAppeal:
    """Complain about a listing. The answer never tells whether there is one; keep reference and secret."""
    with context.database.writing() as session:
        filed = service.file(session, context.keyring.epochs, new, context.clock())
    response.headers["Location"] = f"/v1/appeals/{filed.reference}"
    return filed


@router.get("")
def waiting(
    context: Context,
    caller: Body,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Appeals:
    """Undecided appeals your body may decide, oldest first; it took no part in any entry they concern."""
    after = paging.place(cursor)
    with context.database.reading() as session:
        views, place = service.queue(session, context.keyring, caller, after, limit)
    following = paging.cursor(place) if place else None
    if following:
        response.headers["Link"] = paging.next_link("/v1/appeals", {"limit": limit}, following)
    return Appeals(appeals=views, next_cursor=following)


@router.get("/{appeal}", response_model_exclude_none=True)
def one(context: Context, appeal_id: Id, secret: Secret) -> AppealStatus:
    """Your appeal, with its secret as `Authorization: Bearer ...`."""
    given = secret.credentials if secret else None
    with context.database.reading() as session:
        return service.status(session, context.keyring.epochs, appeal_id, given)


@router.post("/{appeal}/decision", status_code=201)
def decide(context: Context, caller: Body, appeal_id: Id, new: NewDecision) -> DecisionView:
    """Decide an appeal with a signed statement; upheld ends every entry it concerns within a second."""
    with acting(context, caller) as session:
        decided = decisions.decide(session, context.keyring, caller, appeal_id, new, context.clock())
    context.wake_publisher()
    return decided
