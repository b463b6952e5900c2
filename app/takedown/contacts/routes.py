"""Contacts by the API: operators read and keep them. Answers say how each is reached, so none is stored."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.core.terms import Channel, ContactKind
from app.identity.access import Access, acting
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform import paging
from app.platform.context import Context, private
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import (
    ContactChange,
    ContactContent,
    ContactMade,
    Contacts,
    ContactSaid,
    ContactVersions,
    ContactVersionView,
    ContactView,
)
from app.takedown.contacts.service import Wanted

router = APIRouter(prefix="/v1/contacts", tags=["takedown"], dependencies=[Depends(private)])
Operator = Annotated[Caller, Depends(Access(Scope.ADMIN))]
Id = Annotated[str, Path(alias="contact", max_length=64)]


@router.get("")
def every(
    context: Context,
    _caller: Operator,
    response: Response,
    kind: ContactKind | None = None,
    country: Annotated[str | None, Query(max_length=2)] = None,
    with_ended: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
) -> Contacts:
    """Contacts by id: those in force, or ended ones too."""
    wanted = Wanted(kind, country, with_ended, cursor or "", limit + 1)
    with context.database.reading() as session:
        found = contacts.page(session, wanted)
        views = [ContactView.model_validate(one, from_attributes=True) for one in found[:limit]]
    following = views[-1].id if len(found) > limit else None
    if following:
        filters = {
            "kind": kind.value if kind else None,
            "country": country,
            "with_ended": "true" if with_ended else None,
            "limit": limit,
        }
        response.headers["Link"] = paging.next_link("/v1/contacts", filters, following)
    return Contacts(contacts=views, next_cursor=following)


@router.post("", status_code=201)
def add(context: Context, caller: Operator, new: ContactContent, response: Response) -> ContactMade:
    """Add a contact. The secret of a webhook is shown this once."""
    allow_private = context.settings.webhook_allow_private
    with acting(context, caller) as session:
        added = contacts.add(session, new, context.clock(), caller.client_id, allow_private)
        view = ContactView.model_validate(added, from_attributes=True)
    response.headers["Location"] = f"/v1/contacts/{view.id}"
    return _made(context, view, has_webhook=view.channel is Channel.WEBHOOK)


@router.get("/{contact}")
def one(context: Context, _caller: Operator, contact_id: Id) -> ContactView:
    """A contact, also one that ended."""
    with context.database.reading() as session:
        return ContactView.model_validate(contacts.one(session, contact_id), from_attributes=True)


@router.put("/{contact}")
def change(context: Context, caller: Operator, contact_id: Id, change: ContactChange) -> ContactMade:
    """Put the next version of a contact in force; notices that wait go where it says."""
    allow_private = context.settings.webhook_allow_private
    with acting(context, caller) as session:
        had_webhook = contacts.in_force(session, contact_id).channel is Channel.WEBHOOK
        changed = contacts.change(
            session,
            contact_id,
            change.base_version,
            change.content(),
            context.clock(),
            caller.client_id,
            allow_private,
        )
        view = ContactView.model_validate(changed, from_attributes=True)
    return _made(context, view, has_webhook=view.channel is Channel.WEBHOOK and not had_webhook)


@router.delete("/{contact}", status_code=204, response_class=Response)
def end(context: Context, caller: Operator, contact_id: Id) -> None:
    """Tell nobody there any longer; what was told stays on record."""
    with acting(context, caller) as session:
        contacts.end(session, contact_id, context.clock(), caller.client_id)


@router.get("/{contact}/versions")
def versions(context: Context, _caller: Operator, contact_id: Id) -> ContactVersions:
    """What a contact was, version by version."""
    with context.database.reading() as session:
        found = contacts.one(session, contact_id)
        told = [
            ContactVersionView(
                version=each.version,
                changed_at=each.changed_at,
                client=each.client_id,
                content=ContactSaid.model_validate(each.content),
            )
            for each in contacts.versions(session, contact_id)
        ]
        return ContactVersions(contact=found.id, ended_at=found.ended_at, versions=told)


def _made(context: Context, view: ContactView, has_webhook: bool) -> ContactMade:
    secret = contacts.webhook_secret(context.keyring, view.id) if has_webhook else None
    return ContactMade(**view.model_dump(), secret=secret)
