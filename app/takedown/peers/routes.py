"""Where peers send their messages, and what hotlines see of them.

The first is public: what is sealed inside says who sent it, or is refused.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.core import exchange
from app.identity.access import Access
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.context import Context, private
from app.platform.problems import Problem
from app.platform.strangers import Strangers
from app.takedown.peers import receiving as received
from app.takedown.peers import referrals
from app.takedown.peers.schemas import ReferredEntries, Taken

router = APIRouter(tags=["exchange"], dependencies=[Depends(private)])
Reader = Annotated[Caller, Depends(Access(Scope.ENTRIES_READ))]
_REFUSAL = "this is no message of a peer in force to this service"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {exchange.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def sealed_of(request: Request) -> bytes:
    """The body, never more of it than a message may have. Raises a 413 problem."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > exchange.LARGEST:
            raise Problem("body-too-large", f"a message has at most {exchange.LARGEST} bytes")
    return body


@router.post(
    exchange.PATH,
    status_code=202,
    openapi_extra=_BODY,
    responses={200: {"model": Taken, "description": "Taken before"}},
)
def take(
    request: Request, context: Context, sealed: Annotated[bytes, Depends(sealed_of)], response: Response
) -> Taken:
    """Take in a sealed message of a peer, once: 200 when it was before. What else comes is refused alike."""
    strangers: Strangers = request.app.state.peer_strangers
    address = request.client.host if request.client else ""
    strangers.admit(address, context.clock().timestamp())
    try:
        message, is_new = received.receive(context, sealed)
    except exchange.Refused:
        strangers.count(address, context.clock().timestamp())
        raise Problem("forbidden", _REFUSAL) from None
    if is_new:
        context.wake_publisher()
    response.status_code = 202 if is_new else 200
    return Taken(message=message.id, repeated=not is_new)


@router.get("/v1/referrals")
def waiting(
    context: Context,
    caller: Reader,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> ReferredEntries:
    """What peers referred that is hosted in your hotline's country. Submit it to make it yours as well."""
    after = paging.place(cursor)
    with context.database.reading() as session:
        found = referrals.page(session, context.keyring.epochs, caller, after, limit + 1)
    following = paging.cursor(found[limit - 1][0]) if len(found) > limit else None
    if following:
        response.headers["Link"] = paging.next_link("/v1/referrals", {"limit": limit}, following)
    return ReferredEntries(referrals=[view for _, view in found[:limit]], next_cursor=following)
