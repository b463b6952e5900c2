"""Every refusal the service can give, as RFC 9457 problem details.

A problem's `type` is `urn:wardlist:problem:<code>`; codes are stable and listed here only.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from pydantic import BaseModel

MEDIA_TYPE = "application/problem+json"

PROBLEMS: dict[str, tuple[int, str]] = {
    "invalid-input": (422, "The request has a field that cannot be accepted"),
    "body-not-json": (400, "The body is not JSON"),
    "body-too-large": (413, "The body is larger than this service accepts"),
    "body-too-complex": (413, "The body is nested deeper, or holds more or longer parts, than is read"),
    "media-type-not-taken": (415, "No address here takes a body of this media type"),
    "host-missing": (400, "The request must name one host"),
    "host-unknown": (421, "This service does not answer under that name"),
    "unauthenticated": (401, "No valid access token"),
    "forbidden": (403, "This client may not do that"),
    "not-found": (404, "There is nothing here for you"),
    "method-not-allowed": (405, "This address does not take that method"),
    "gone": (410, "This was here and is no longer kept"),
    "not-acceptable": (406, "This address does not answer in a form that you accept"),
    "filter-invalid": (400, "A filter of the request cannot be read"),
    "unavailable": (503, "The service cannot answer now"),
    "not-ready": (503, "This process cannot do its work now"),
    "internal": (500, "The service failed; nothing was changed"),
    "url-not-http": (422, "Only http and https addresses can be listed"),
    "url-userinfo": (422, "The address carries a user name or password"),
    "url-no-host": (422, "The address has no host"),
    "url-ip-host": (422, "The host is an IP address"),
    "url-single-label": (422, "The host has a single label"),
    "url-too-long": (422, "The address is longer than 2,048 bytes"),
    "url-control-characters": (422, "The address contains control characters"),
    "url-public-suffix": (422, "The host is a public suffix"),
    "url-ambiguous": (422, "The address is not read alike by every program"),
    "operator-name": (422, "The host is one of the operator's own names"),
    "list-unknown": (422, "There is no such list"),
    "scope-not-on-list": (422, "The list does not take this scope"),
    "already-submitted": (409, "Your organisation already submitted this"),
    "duplicate-in-batch": (422, "The batch holds the same address, scope and list twice"),
    "idempotency-key-reused": (422, "This Idempotency-Key was used with another body"),
    "idempotency-key-invalid": (422, "The Idempotency-Key is not 1 to 255 visible ASCII characters"),
    "state-conflict": (409, "The entry's state does not allow this"),
    "conflict-of-interest": (403, "A reviewer must be independent of whoever submitted the entry"),
    "already-voted": (409, "Your organisation already decided on this entry"),
    "signature-invalid": (422, "The signature does not cover what was sent"),
    "digest-mismatch": (422, "The digest is not that of this version"),
    "reviewer-not-certified": (403, "The key is not certified by a registered review body"),
    "register-invalid": (422, "The register does not hold"),
    "certificate-invalid": (422, "The certificate does not hold"),
    "digest-outdated": (409, "The entry changed since this decision was signed"),
    "criteria-unmet": (422, "An approval needs every criterion to be true"),
    "scope-reason-missing": (422, "A host or domain entry needs a reason why a narrower scope fails"),
    "shared-hosting": (422, "Every name below this one belongs to somebody else"),
    "ground-reserved": (422, "The list's jurisdiction reserved this legal ground"),
    "takedown-required": (422, "What is hosted inside the jurisdiction needs takedown"),
    "hosted-in-jurisdiction": (422, "What is hosted inside the jurisdiction is taken down, not blocked"),
    "policy-outdated": (409, "The policy changed since you read it"),
    "contact-outdated": (409, "The contact changed since you read it"),
    "difference-outdated": (409, "The held difference is another one by now"),
    "path-covers-host": (422, "A path entry at the root covers the whole host"),
    "no-brake": (409, "No version of this list is held"),
    "second-organisation-needed": (409, "Another organisation must release the brake too"),
    "appeal-decided": (409, "The appeal is decided"),
    "appeal-concerns-no-entry": (422, "Nothing that could be delisted matches the appeal"),
    "took-part": (403, "A body that took part in the listing cannot decide its appeal"),
    "range-not-satisfiable": (416, "The file has no such bytes"),
    "too-many-requests": (429, "Too many requests; try again later"),
    "legal-hold": (409, "The entry is on legal hold"),
    "recipient-missing": (422, "The provider has no age recipient to seal the list to"),
    "list-exists": (409, "There already is a list of this name"),
    "reveal-not-allowed": (403, "This auditor may not have entries opened"),
    "too-many-exports": (429, "Three exports of your organisation wait already"),
    "too-many-webhooks": (409, "Five webhooks of your organisation are in force"),
}


class FieldError(TypedDict, total=False):
    """One field at fault: its name, what to do, and in a batch the index of its entry."""

    field: str
    detail: str
    code: str
    index: int


class Problem(Exception):
    """A refusal on its way to the caller. `code` is a key of PROBLEMS; no text holds a URL."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.status, self.title = PROBLEMS[code]
        self.code, self.detail, self.errors = code, detail, list(errors)
        self.headers, self.members = headers or {}, members

    def document(self) -> dict[str, Any]:
        """The RFC 9457 document."""
        body: dict[str, Any] = {
            "type": f"urn:wardlist:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.members


def at_field(code: str, field: str, detail: str) -> Problem:
    """A refusal of one field."""
    return Problem(code, detail, [{"field": field, "detail": detail, "code": code}])


class FieldErrorDocument(BaseModel):
    """A field at fault, as documented in OpenAPI."""

    field: str
    detail: str
    code: str | None = None
    index: int | None = None


class ProblemDocument(BaseModel):
    """RFC 9457 problem details, as documented in OpenAPI."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldErrorDocument] | None = None
