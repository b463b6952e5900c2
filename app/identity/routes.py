"""POST /oauth/token, the two discovery documents, and conflicts between organisations."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from app.core import jose
from app.core.terms import ConflictReason
from app.identity import conflicts, tokens
from app.identity.access import Access, acting
from app.identity.models import Conflict
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.platform.context import Context

router = APIRouter(tags=["sign-in"])
NO_STORE = {"Cache-Control": "no-store"}
_PARAMETERS = ("grant_type", "client_assertion_type", "client_assertion", "scope", "client_id")


class TokenResponse(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenError(BaseModel):
    """RFC 6749 section 5.2."""

    error: str
    error_description: str


async def _repeated(request: Request) -> str | None:
    """A parameter that is there more than once, which RFC 6749 section 3.2 forbids."""
    names = [name for name, _ in (await request.form()).multi_items()]
    return next((name for name in _PARAMETERS if names.count(name) > 1), None)


@router.post(
    "/oauth/token",
    response_model=TokenResponse,
    responses={400: {"model": TokenError}, 401: {"model": TokenError}},
)
def token(
    context: Context,
    repeated: Annotated[str | None, Depends(_repeated)],
    grant_type: Annotated[str, Form(max_length=100)] = "",
    client_assertion_type: Annotated[str, Form(max_length=200)] = "",
    client_assertion: Annotated[str, Form(max_length=16384)] = "",
    scope: Annotated[str | None, Form(max_length=500)] = None,
    client_id: Annotated[str | None, Form(max_length=100)] = None,
) -> JSONResponse:
    """Exchange a signed client assertion (RFC 7523, ES256) for an access token of ten minutes."""
    try:
        if repeated:
            raise tokens.Refused("invalid_request", f"{repeated} is there more than once")
        if not grant_type:
            raise tokens.Refused("invalid_request", "send grant_type client_credentials")
        if grant_type != "client_credentials":
            raise tokens.Refused("unsupported_grant_type", "grant_type must be client_credentials")
        if client_assertion_type != tokens.ASSERTION_TYPE or not client_assertion:
            raise tokens.Refused(
                "invalid_client", f"send client_assertion_type {tokens.ASSERTION_TYPE} and client_assertion"
            )
        issuer = tokens.issuer_of(context.settings.address, context.keyring, context.clock())
        with context.database.writing() as session:
            shown = tokens.Shown(client_assertion, scope, client_id)
            granted = tokens.sign_in(session, issuer, shown, context.clock())
    except tokens.Refused as refused:
        body = {"error": refused.error, "error_description": refused.description}
        return JSONResponse(body, 401 if refused.error == "invalid_client" else 400, NO_STORE)
    return JSONResponse(granted, headers=NO_STORE)


@router.get("/.well-known/oauth-authorization-server")
def metadata(context: Context) -> dict[str, Any]:
    """RFC 8414 authorisation server metadata."""
    address = context.settings.address
    return {
        "issuer": address,
        "token_endpoint": f"{address}/oauth/token",
        "jwks_uri": f"{address}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": [jose.ALGORITHM],
        "scopes_supported": [scope.value for scope in Scope],
    }


@router.get("/.well-known/jwks.json")
def jwks(context: Context) -> dict[str, Any]:
    """Public keys of access tokens and manifests (RFC 7517)."""
    now = context.clock()
    keys = [*context.keyring.token_keys(now), *context.keyring.manifest_keys(now)]
    return {"keys": [jose.public_part(key) for key in keys]}


class NewConflict(BaseModel):
    """Why two organisations are not independent of each other."""

    model_config = ConfigDict(extra="forbid")

    reason: ConflictReason


class ConflictView(BaseModel):
    """A declared pair, the smaller id first."""

    one: str
    other: str
    reason: ConflictReason
    declared_at: datetime

    @classmethod
    def of(cls, pair: Conflict) -> "ConflictView":
        """As it is stored."""
        return cls.model_validate(pair.model_dump())


class Conflicts(BaseModel):
    """Every declared pair."""

    conflicts: list[ConflictView]


members = APIRouter(prefix="/v1/conflicts", tags=["organisations"])
Admin = Annotated[Caller, Depends(Access(Scope.ADMIN))]
Id = Annotated[str, Path(max_length=64)]


@members.get("")
def listing(context: Context, _caller: Admin) -> Conflicts:
    """Pairs of organisations that do not judge each other's work."""
    with context.database.reading() as session:
        return Conflicts(conflicts=[ConflictView.of(pair) for pair in conflicts.every(session)])


@members.put("/{one}/{other}")
def declare(context: Context, caller: Admin, one: Id, other: Id, new: NewConflict) -> ConflictView:
    """Declare a conflict of interest between two organisations."""
    with acting(context, caller) as session:
        return ConflictView.of(conflicts.declare(session, one, other, new.reason, context.clock()))


@members.delete("/{one}/{other}", status_code=204)
def end(context: Context, caller: Admin, one: Id, other: Id) -> None:
    """Take a pair off the table."""
    with acting(context, caller) as session:
        conflicts.end(session, one, other, context.clock())
