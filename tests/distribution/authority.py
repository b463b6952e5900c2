"""An authority that reads lists over TAXII, as `taxii2-client` and as plain HTTP."""

from typing import Any

import httpx
import requests
import stix2
from taxii2client.v21 import Collection, Server, as_pages

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution import taxii
from app.lists import readers
from tests.programs.service import LIST, Service

MEDIA_TYPE = "application/taxii+json;version=2.1"
COLLECTIONS = "/taxii2/lists/collections/"
Objects = list[dict[str, Any]]


class Bearer(requests.auth.AuthBase):
    """Our access token, for programs that use `requests`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.connection.token()}"
        return request


class Authority:
    """A law enforcement client with a grant for each of the lists named."""

    def __init__(self, service: Service, *lists: str) -> None:
        self.service, self.organisation = service, service.organisation(Kind.LAW_ENFORCEMENT)
        for name in lists:
            self.grant(name)
        self.connection = service.connect(Kind.LAW_ENFORCEMENT, self.organisation)
        self.auth, self.plain = Bearer(self.connection), httpx.Client()

    def grant(self, name: str = LIST) -> None:
        self.service.let_read(self.organisation, name)

    def revoke(self, name: str = LIST) -> None:
        with self.service.database.writing() as session:
            readers.remove(session, name, self.organisation, self.service.clock())

    def server(self) -> Server:
        return Server(f"{self.service.address}/taxii2/", auth=self.auth)

    def collection(self, name: str = LIST) -> Collection:
        path = f"{self.service.address}{COLLECTIONS}{taxii.collection_id(name)}/"
        return Collection(path, auth=self.auth)

    def walk(self, per_request: int = 0, name: str = LIST, is_parsed: bool = True, **filters: Any) -> Objects:
        """Every object that `taxii2-client` finds, page by page; where asked, `stix2.parse` takes each."""
        pages = as_pages(self.collection(name).get_objects, per_request=per_request, **filters)
        found = [one for page in pages for one in page.get("objects", [])]
        for one in found if is_parsed else ():
            stix2.parse(one)
        return found

    def indicators(self, **filters: Any) -> Objects:
        return [one for one in self.walk(**filters) if one["type"] == "indicator"]

    def get(self, path: str = "objects/", name: str = LIST, **more: Any) -> httpx.Response:
        """A plain request below a collection."""
        headers = {"Authorization": f"Bearer {self.connection.token()}", **more.pop("headers", {})}
        address = f"{self.service.address}{COLLECTIONS}{taxii.collection_id(name)}/{path}"
        return self.plain.get(address, headers=headers, **more)


def entries_of(found: Objects) -> list[str]:
    """The entry's id of each indicator."""
    return [one["external_references"][0]["external_id"] for one in found if one["type"] == "indicator"]
