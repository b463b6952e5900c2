"""Webhooks of an internet provider."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.core.terms import Kind
from app.distribution import webhooks
from app.distribution.schemas import NewWebhook, WebhookMade, Webhooks, WebhookView
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform.context import Context
from app.platform.problems import Problem

router = APIRouter(tags=["webhooks"])
Reader = Annotated[Caller, Depends(Access(Scope.LISTS_READ))]


def provider(caller: Reader) -> Caller:
    """The caller, an internet provider. Raises a 403 problem."""
    if caller.kind is not Kind.ISP:
        raise Problem("forbidden", "only internet providers are told of new versions")
    return caller


Provider = Annotated[Caller, Depends(provider)]


@router.post("/v1/webhooks", status_code=201)
def add(context: Context, caller: Provider, new: NewWebhook) -> WebhookMade:
    """Be told at this address when a version is out. The secret is shown this once."""
    with acting(context, caller) as session:
        allow_private = context.settings.webhook_allow_private
        added = webhooks.add(session, caller, new.url, allow_private, context.clock())
        view = WebhookView.model_validate(added, from_attributes=True)
    return WebhookMade(**view.model_dump(), secret=webhooks.secret(context.keyring, view.id))


@router.get("/v1/webhooks")
def mine(context: Context, caller: Provider) -> Webhooks:
    """Your organisation's webhooks, oldest first."""
    with context.database.reading() as session:
        found = webhooks.in_force(session, caller)
        return Webhooks(webhooks=[WebhookView.model_validate(one, from_attributes=True) for one in found])


@router.delete("/v1/webhooks/{webhook}", status_code=204, response_class=Response)
def end(
    context: Context, caller: Provider, webhook_id: Annotated[str, Path(alias="webhook", max_length=64)]
) -> None:
    """Send nothing more to one of your organisation's webhooks."""
    with acting(context, caller) as session:
        webhooks.end(session, caller, webhook_id, context.clock())
