"""What a provider polls: manifests, artefacts, deltas, validators, and what is no longer kept."""

import csv
import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import rfc8785
from jose import jws

from app.client.session import Connection
from app.core import commitment
from app.core.merkle import Frontier, leaf_hash
from app.core.terms import Kind
from app.lists import service as lists
from tests.programs.service import LIST, Service, approve, leaves, new_entry

SNAPSHOTS = f"/v1/lists/{LIST}/snapshots"


def list_one(service: Service, hotline: Connection, reviewer: Connection, url: str) -> dict[str, Any]:
    entry: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
    approve(reviewer, entry)
    service.publish()
    return entry


def test_a_version_is_what_was_signed_off(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    hotline.request("POST", "/v1/entries", json=new_entry("https://waiting.example.test/"))
    takedown = hotline.request(
        "POST", "/v1/entries", json=new_entry("https://t.example.test/", measures=["takedown"])
    ).json()
    approve(reviewer, takedown)
    entry = list_one(service, hotline, reviewer, 'https://a.example.test/,"x"')
    manifest = provider.request("GET", f"{SNAPSHOTS}/latest").json()
    assert (manifest["version"], manifest["entry_count"], manifest["previous_version"]) == (1, 1, None)
    key = bytes.fromhex(entry["commitment_key"])
    line = rfc8785.dumps(
        {"commitment_key": key.hex(), "entry": entry["id"], "scope": "url", "url": entry["canonical_url"]}
    )
    body = provider.request("GET", f"{SNAPSHOTS}/1/jsonl").content
    assert body == line + b"\n"
    assert manifest["content_sha256"] == hashlib.sha256(body).hexdigest()
    assert manifest["commitments_sha256"] == commitment.commitments_sha256([entry["commitment"]])
    table = list(csv.DictReader(io.StringIO(provider.request("GET", f"{SNAPSHOTS}/1/csv").text)))
    assert [row["url"] for row in table] == [entry["canonical_url"]]
    delta = provider.request("GET", f"/v1/lists/{LIST}/deltas/1").content
    assert json.loads(delta) == {**json.loads(line), "op": "add"}
    for name, stated in (*manifest["artefacts"].items(), ("delta", manifest["delta"])):
        path = f"/v1/lists/{LIST}/deltas/1" if name == "delta" else f"{SNAPSHOTS}/1/{name}"
        got = provider.request("GET", path).content
        assert (len(got), hashlib.sha256(got).hexdigest()) == (stated["length"], stated["sha256"])


def test_the_manifest_is_signed_for_jose_and_bound_to_the_log(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    list_one(service, hotline, reviewer, "https://a.example.test/")
    answer = provider.request("GET", f"{SNAPSHOTS}/1")
    signed = provider.request("GET", f"{SNAPSHOTS}/1/manifest.jws").text
    keys = httpx.get(f"{service.address}/.well-known/jwks.json").json()
    assert jws.verify(signed, keys, algorithms=["ES256"]) == answer.content == rfc8785.dumps(answer.json())
    manifest = answer.json()
    with service.database.reading() as session:
        found = leaves(session)
    hashes = [leaf_hash(rfc8785.dumps(leaf)) for leaf in found[: manifest["log_size"]]]
    assert Frontier().extend(hashes).root().hex() == manifest["log_root"]
    published = [leaf for leaf in found if leaf["type"] == "list.published"]
    assert [(leaf["version"], leaf["content_sha256"]) for leaf in published] == [
        (1, manifest["content_sha256"])
    ]


def test_removals_are_tombstones_and_versions_are_consecutive(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    first = list_one(service, hotline, reviewer, "https://a.example.test/")
    list_one(service, hotline, reviewer, "https://b.example.test/")
    hotline.request("POST", f"/v1/entries/{first['id']}/withdrawal")
    service.publish()
    assert (
        provider.request("GET", f"/v1/lists/{LIST}/deltas/3").content
        == rfc8785.dumps({"entry": first["id"], "op": "remove"}) + b"\n"
    )
    page = provider.request("GET", f"{SNAPSHOTS}?limit=2")
    assert [one["version"] for one in page.json()["snapshots"]] == [3, 2]
    rest = provider.request("GET", page.links["next"]["url"]).json()["snapshots"]
    assert [(one["version"], one["added"], one["removed"]) for one in rest] == [(1, 1, 0)]
    view = hotline.request("GET", f"/v1/entries/{first['id']}").json()
    assert (view["status"], view["delist_reason"], view["listed_in"], view["delisted_in"]) == (
        "delisted",
        "withdrawn",
        1,
        3,
    )


def test_nothing_changed_is_no_version(service: Service, hotline: Connection, reviewer: Connection) -> None:
    service.publish()
    assert hotline.send("GET", f"{SNAPSHOTS}/latest").status_code == 404
    list_one(service, hotline, reviewer, "https://a.example.test/")
    for _ in range(3):
        service.publish()
    assert hotline.request("GET", f"{SNAPSHOTS}/latest").json()["version"] == 1


def test_at_most_one_version_a_second(service: Service, hotline: Connection, reviewer: Connection) -> None:
    service.clock.still_at = service.clock()
    list_one(service, hotline, reviewer, "https://a.example.test/")
    entry = hotline.request("POST", "/v1/entries", json=new_entry("https://b.example.test/")).json()
    approve(reviewer, entry)
    service.publisher.round()
    assert hotline.request("GET", f"{SNAPSHOTS}/latest").json()["version"] == 1
    service.publish()
    assert hotline.request("GET", f"{SNAPSHOTS}/latest").json()["version"] == 2


def test_validators_and_caching(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    list_one(service, hotline, reviewer, "https://a.example.test/")
    target = next((service.settings.public / "targets").rglob("*.list.csv"))
    tuf = str(target.relative_to(service.settings.public / "targets"))
    immutable = [
        f"{SNAPSHOTS}/1",
        f"{SNAPSHOTS}/1/manifest.jws",
        f"{SNAPSHOTS}/1/jsonl",
        f"/v1/lists/{LIST}/deltas/1",
        f"/tuf/targets/{tuf}",
        "/tuf/metadata/1.root.json",
    ]
    for path in [*immutable, f"{SNAPSHOTS}/latest", "/tuf/metadata/timestamp.json"]:
        answer = provider.request("GET", path)
        assert ("immutable" in answer.headers["cache-control"]) == (path in immutable), path
        etag = answer.headers["etag"]
        assert etag.startswith('"')
        for offered in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = provider.send("GET", path, headers={"If-None-Match": offered})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert provider.send("GET", path, headers={"If-None-Match": '"other"'}).status_code == 200
    list_one(service, hotline, reviewer, "https://b.example.test/")
    latest = provider.send("GET", f"{SNAPSHOTS}/latest", headers={"If-None-Match": f'"{LIST}-1"'})
    assert latest.json()["version"] == 2


def test_unknown_versions_and_formats(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    list_one(service, hotline, reviewer, "https://a.example.test/")
    for path in (
        f"{SNAPSHOTS}/2",
        f"{SNAPSHOTS}/2/jsonl",
        f"{SNAPSHOTS}/1/exe",
        f"/v1/lists/{LIST}/deltas/9",
    ):
        assert provider.send("GET", path).status_code == 404
    for file in ("root.json", "x", "2.root.json", f"{'9' * 120}.root.json"):
        assert provider.send("GET", f"/tuf/metadata/{file}").status_code == 404
    for version in ("0", "-1", "x", "1.0", "01", "%2B1", "99999999999999999999"):
        assert provider.send("GET", f"{SNAPSHOTS}/{version}").status_code == 422


def test_unsubscribing_ends_access(service: Service, hotline: Connection, reviewer: Connection) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    list_one(service, hotline, reviewer, "https://a.example.test/")
    with service.connect(Kind.ISP, organisation) as provider:
        assert provider.send("GET", f"{SNAPSHOTS}/1/jsonl").status_code == 200
        with service.database.writing() as session:
            lists.unsubscribe(session, LIST, organisation, service.clock())
        assert provider.send("GET", f"{SNAPSHOTS}/1/jsonl").status_code == 404


def test_old_versions_keep_their_manifest_only(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection
) -> None:
    for number in range(6):
        list_one(service, hotline, reviewer, f"https://h{number}.example.test/")
    approve(
        reviewer, hotline.request("POST", "/v1/entries", json=new_entry("https://h6.example.test/")).json()
    )
    assert provider.send("GET", f"{SNAPSHOTS}/1/jsonl").status_code == 200
    before = service.clock.ahead
    service.clock.ahead += timedelta(minutes=11)
    service.publisher.round()
    service.clock.ahead = before
    assert provider.send("GET", f"{SNAPSHOTS}/1/jsonl").json()["type"] == "urn:wardlist:problem:gone"
    assert provider.send("GET", f"{SNAPSHOTS}/1").status_code == 200
    assert provider.send("GET", f"/v1/lists/{LIST}/deltas/1").status_code == 200
    assert provider.send("GET", f"{SNAPSHOTS}/3/jsonl").status_code == 200


def test_nothing_private_is_readable_by_others(service: Service) -> None:
    for path in (service.settings.keys, service.settings.offline):
        assert Path(path).stat().st_mode & 0o077 == 0
        for file in path.rglob("*"):
            # In a folder that nobody else may enter; public halves are copied as they are.
            assert file.stat().st_mode & 0o077 == 0 or "public" in file.relative_to(path).parts
