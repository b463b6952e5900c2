"""/docs: the API as a page, made of the same OpenAPI document that /openapi.json gives.

A page of our own, for Swagger UI breaks what holds for every page here and cannot be told not to: 235 texts
of too little contrast, no dark colours, headings out of order. Source: OpenAPI 3.1.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.platform.context import Context
from app.platform.problems import PROBLEMS
from app.web.edge import PageRoute
from app.web.pages import page
from app.web.public.recent import RecentPages

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LASTS = timedelta(days=1)
"""It changes with the program only."""
_SHAPES = "#/components/schemas/"
_METHODS = ("get", "post", "put", "patch", "delete")
_LIMITS = {
    "format": "{}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "pattern {}",
}
_PARTS = re.compile(r"`([^`]*)`")
Part = tuple[str, str]
"""Text, and the name of the shape that it leads to, or nothing."""
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of a shape."""

    name: str
    place: str
    kind: tuple[Part, ...]
    notes: str
    is_required: bool


@dataclass(frozen=True)
class Content:
    """A body or an answer: its status or nothing, what it means, and its forms."""

    status: str
    text: str
    forms: tuple[tuple[str, tuple[Part, ...]], ...]


@dataclass(frozen=True)
class Operation:
    """A method of an address."""

    method: str
    path: str
    summary: str
    text: str
    has_token: bool
    fields: tuple[Field, ...]
    body: Content | None
    answers: tuple[Content, ...]


@dataclass(frozen=True)
class Shape:
    """A named shape: its members, or the words that it may be."""

    name: str
    text: str
    fields: tuple[Field, ...]
    words: tuple[str, ...]


@router.get("/docs", response_class=HTMLResponse)
def docs(context: Context, request: Request) -> Response:
    """Every address, parameter, body, answer, shape and problem."""
    recent: RecentPages = request.app.state.recent_pages
    return recent.answer(request, "docs", context.clock(), lambda: _rendered(request), _LASTS)


def _rendered(request: Request) -> HTMLResponse:
    described: Json = request.app.openapi()
    return page(
        request,
        "public/docs.html",
        info=described["info"],
        groups=_groups(described),
        shapes=[_shape(name, one) for name, one in sorted(described["components"]["schemas"].items())],
        problems=PROBLEMS,
        spans=_spans,
    )


def _groups(described: Json) -> dict[str, list[Operation]]:
    """Operations by tag, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, methods in described["paths"].items():
        for method in filter(methods.__contains__, _METHODS):
            tag = (methods[method].get("tags") or ["other"])[0]
            found.setdefault(tag, []).append(_operation(method, path, methods[method]))
    return found


def _operation(method: str, path: str, one: Json) -> Operation:
    body = one.get("requestBody")
    return Operation(
        method=method.upper(),
        path=path,
        summary=one.get("summary", ""),
        text=one.get("description", ""),
        has_token=bool(one.get("security")),
        fields=tuple(
            _field(found["name"], found["schema"], bool(found.get("required")), found["in"])
            for found in one.get("parameters", ())
        ),
        body=_content("", body) if body else None,
        answers=tuple(_content(status, answer) for status, answer in sorted(one["responses"].items())),
    )


def _content(status: str, one: Json) -> Content:
    """A problem is named once, by its own media type."""
    content: Json = one.get("content", {})
    is_problem = "application/problem+json" in content
    forms = {
        kind: tuple(_kind(form.get("schema", {})))
        for kind, form in content.items()
        if not (is_problem and kind == "application/json")
    }
    text = one.get("description", "")
    return Content(status, "" if text == "Successful Response" else text, tuple(forms.items()))


def _shape(name: str, one: Json) -> Shape:
    required = set(one.get("required", ()))
    fields = tuple(_field(member, of, member in required) for member, of in one.get("properties", {}).items())
    return Shape(name, one.get("description", ""), fields, tuple(map(str, one.get("enum", ()))))


def _field(name: str, of: Json, is_required: bool, place: str = "") -> Field:
    notes = [of["description"]] if "description" in of else []
    for variant in (of, *of.get("anyOf", ())):
        notes += [words.format(variant[limit]) for limit, words in _LIMITS.items() if limit in variant]
    if of.get("default") is not None:
        notes.append(f"without it: {of['default']}")
    return Field(name, place, tuple(_kind(of)), "; ".join(notes), is_required)


def _kind(of: Json) -> Iterator[Part]:
    """What a value is, in words, with the names of shapes to lead to."""
    if "$ref" in of:
        name = of["$ref"].removeprefix(_SHAPES)
        yield name, name
    elif "const" in of:
        yield str(of["const"]), ""
    elif "enum" in of:
        yield " or ".join(map(str, of["enum"])), ""
    elif "anyOf" in of:
        for place, variant in enumerate(of["anyOf"]):
            if place:
                yield " or ", ""
            yield from _kind(variant)
    elif of.get("type") == "array":
        yield "list of ", ""
        yield from _kind(of.get("items", {}))
    elif isinstance(of.get("additionalProperties"), dict):
        yield "object, each member ", ""
        yield from _kind(of["additionalProperties"])
    else:
        yield str(of.get("type", "any")), ""


def _spans(text: str) -> list[Part]:
    """A text's plain and `quoted` parts, by the second of each."""
    return [(part, "code" if place % 2 else "") for place, part in enumerate(_PARTS.split(text)) if part]
