"""Forms of pages: read to a limit, the last field of each name.

A zero byte, which PostgreSQL takes in no text, is read as what cannot be decoded is.
"""

from urllib.parse import parse_qsl

from fastapi import Request

from app.platform.problems import Problem


class FormReader:
    """A route's dependency: the fields of its form. `largest` is bytes, `most` is fields."""

    def __init__(self, largest: int, most: int) -> None:
        self._largest, self._most = largest, most

    async def __call__(self, request: Request) -> dict[str, str]:
        """The fields; none of a form that is none of ours. Raises a 413 problem for a larger one."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > self._largest:
                raise Problem("body-too-large", f"the form has at most {self._largest} bytes")
        try:
            fields = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=self._most)
        except ValueError:
            return {}
        return {name: text.replace("\0", "\ufffd") for name, text in fields}
