"""nginx with deploy/nginx.conf serves providers and any TUF client, and lets no stranger in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from app.client.session import Connection
from app.client.store import Store
from app.client.sync import sync
from app.core.manifest import Manifest, canary_path, latest_path
from app.core.terms import Kind
from app.identity import service as identity
from tests.deploy.conftest import LATEST, Front
from tests.programs.service import LIST


class Bearer(FetcherInterface):
    """What a TUF client that knows nothing of wardlist needs besides: a header."""

    def __init__(self, token: str) -> None:
        self.token = token

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {self.token}"})
        if answer.status_code != 200:
            raise DownloadHTTPError("refused", answer.status_code)
        yield answer.content


def updater(front: Front, folder: Path, token: str) -> Updater:
    for name in ("metadata", "targets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Updater(
        metadata_dir=str(folder / "metadata"),
        metadata_base_url=f"{front.nginx.address}/tuf/metadata/",
        target_dir=str(folder / "targets"),
        target_base_url=f"{front.nginx.address}/tuf/targets/",
        fetcher=Bearer(token),
        bootstrap=front.service.root,
    )


def other_provider(front: Front, subscribed: bool) -> tuple[str, Connection]:
    organisation = front.service.organisation(Kind.ISP)
    if subscribed:
        front.service.subscribe(organisation)
    return organisation, front.service.connect(Kind.ISP, organisation)


def a_file(front: Front) -> str:
    """The address of the newest version's list."""
    found = Manifest.model_validate(front.manifest()).artefacts["jsonl"]
    folder, name = found.path.rsplit("/", 1)
    return f"/tuf/targets/{folder}/{found.sha256}.{name}"


def test_the_client_installs_a_list_through_nginx(front: Front, tmp_path: Path) -> None:
    done = sync(front.provider, LIST, Store(tmp_path), front.service.root)
    assert (done.version, done.entry_count) == (front.manifest()["version"], front.manifest()["entry_count"])


def test_any_tuf_client_downloads_a_list_through_nginx(front: Front, tmp_path: Path) -> None:
    plain = updater(front, tmp_path, front.provider.token())
    plain.refresh()
    leads = plain.get_targetinfo(latest_path(LIST))
    assert leads
    manifest = Manifest.model_validate_json(Path(plain.download_target(leads)).read_bytes())
    listed = plain.get_targetinfo(manifest.artefacts["jsonl"].path)
    assert listed
    assert len(Path(plain.download_target(listed)).read_bytes().splitlines()) == manifest.entry_count


@pytest.mark.parametrize("who", ["nobody", "a made-up token", "a token cut short", "another provider"])
def test_a_stranger_gets_the_services_own_refusal(front: Front, who: str) -> None:
    token = {"nobody": None, "a made-up token": "a.b.c"}.get(who, front.provider.token()[:-8])
    if who == "another provider":
        token = other_provider(front, subscribed=False)[1].token()
    paths = (LATEST, a_file(front), f"/tuf/targets/lists/{LIST}/{'0' * 64}.manifest.json")
    direct = f"http://127.0.0.1:{front.service.settings.port}"
    for path in paths:
        refusal = front.get(path, token)
        own = httpx.get(direct + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        assert refusal.status_code == own.status_code in (401, 403, 404)
        assert refusal.headers["content-type"] == "application/problem+json"
        assert refusal.json() == own.json()
        assert refusal.headers.get("www-authenticate") == own.headers.get("www-authenticate")


def test_a_forged_token_with_a_true_ones_signature_is_asked_about_anew(front: Front) -> None:
    token = front.provider.token()
    assert front.get(LATEST, token).status_code == 200
    head, body, signature = token.split(".")
    forged = f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'B'}{body[-1]}.{signature}"
    assert front.get(a_file(front), token).status_code == 200
    assert front.get(a_file(front), forged).status_code == 401
    front.nginx.age()
    assert front.get(LATEST, forged).status_code == 401


def test_who_is_suspended_is_out_when_the_verdict_ends_after_thirty_seconds(front: Front) -> None:
    organisation, provider = other_provider(front, subscribed=True)
    path, token = a_file(front), provider.token()
    assert front.get(LATEST, token).status_code == front.get(path, token).status_code == 200
    with front.service.database.writing() as session:
        identity.suspend_organisation(session, organisation, True, front.service.clock())
    left = front.nginx.age()
    assert len(left) > 1
    assert all(seconds <= 30 for seconds in left)
    assert front.get(LATEST, token).status_code == front.get(path, token).status_code == 401


def test_nobody_but_nginx_can_read_what_it_keeps(front: Front) -> None:
    assert front.get(LATEST, front.provider.token()).status_code == 200
    assert front.get(a_file(front), front.provider.token()).status_code == 200
    for folder in front.nginx.kept:
        assert any(folder.iterdir())
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_kept_for_one_token_is_told_to_no_other(front: Front) -> None:
    """Also to one that is written as no token should be, of which nothing is kept."""
    token = front.provider.token()
    for _ in range(2):
        assert front.get(LATEST, token).status_code == 200
        assert front.get(LATEST, Authorization=f"bearer {token}").status_code == 200
    for header in ("", "bearer", "Bearer a.b.c", f"Bearer  {token}", f"Bearer .{token}", f"Bearer {token}A"):
        direct = f"http://127.0.0.1:{front.service.settings.port}{LATEST}"
        own = httpx.get(direct, headers={"Authorization": header}).status_code
        assert front.get(LATEST, Authorization=header).status_code == own
    assert front.get(LATEST).status_code == 401


def test_an_unchanged_poll_is_answered_304_until_the_next_version(front: Front) -> None:
    token = front.provider.token()
    first = front.get(LATEST, token)
    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == "private, no-cache"
    assert not first.headers["etag"].startswith("W/")
    again = front.get(LATEST, token, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    front.list_them("https://a.example.test/unchanged")
    news = front.get(LATEST, token, **{"If-None-Match": first.headers["etag"]})
    assert (news.status_code, news.json()["version"]) == (200, first.json()["version"] + 1)


def test_a_poll_waits_for_the_next_version_through_nginx(front: Front) -> None:
    token = front.provider.token()
    waits = {"Prefer": "wait=60"}
    seen = front.get(LATEST, token, **waits)
    with ThreadPoolExecutor(1) as pool:
        headers = waits | {"If-None-Match": seen.headers["etag"]}
        waiting = pool.submit(lambda: front.get(LATEST, token, **headers))
        while not front.service.announcer.waiting:
            assert not waiting.done()
        front.list_them("https://a.example.test/waited")
        news = waiting.result()
    assert news.headers["preference-applied"] == "wait=60"
    assert news.json()["version"] == seen.json()["version"] + 1


def test_the_log_and_the_signatures_are_public_and_the_services_own(front: Front) -> None:
    home = front.service.settings.home
    tiles = [path for path in (home / "log").rglob("*") if path.is_file() and path.name[0] != "."]
    metadata = [path for path in (home / "tuf" / "metadata").iterdir() if path.suffix == ".json"]
    assert len(tiles) > 2
    for path in tiles + metadata:
        answer = front.get(f"/{path.relative_to(home)}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
    for replaced in ("/log/checkpoint", "/tuf/metadata/timestamp.json"):
        assert front.get(replaced).headers["cache-control"] == "no-cache"
        assert "etag" not in front.get(replaced).headers
    assert "immutable" in front.get("/tuf/metadata/1.root.json").headers["cache-control"]


def test_an_artefact_is_served_in_parts(front: Front) -> None:
    whole = front.get(a_file(front), front.provider.token())
    part = front.get(a_file(front), front.provider.token(), Range="bytes=3-9")
    assert (part.status_code, part.content) == (206, whole.content[3:10])


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/%6detrics",
        "/log/../metrics",
        f"/v1/lists/{LIST}/access",
        f"/v1/lists/{LIST}/access?version=1",
        "/.verdict",
        f"/tuf/latest/{LIST}.json",
        f"/tuf/latest/{LIST}.canary.json",
        "/tuf/metadata/..%2f..%2fkeys/log.hex",
        "/log/../keys/log.hex",
        "/tuf/targets/lists/%2e%2e/%2e%2e/%2e%2e/keys/log.hex",
    ],
)
def test_what_is_not_for_outside_is_not_there(front: Front, path: str) -> None:
    assert front.get(path, front.provider.token()).status_code == 404


def test_a_staged_version_is_there_for_canaries_only(front: Front, tmp_path: Path) -> None:
    early, canary = other_provider(front, subscribed=True)
    before = front.manifest()["version"]
    with front.service.connect(Kind.OPERATOR) as operator:
        seen = operator.request("GET", f"/v1/lists/{LIST}/policy").json()
        change = {**seen["policy"], "canaries": [early], "base_version": seen["version"]}
        operator.request("PUT", f"/v1/lists/{LIST}/policy", json=change)
    front.list_them("https://a.example.test/staged")
    polls = [front.get(LATEST, one.token()).json()["version"] for one in (canary, front.provider)]
    assert polls == [before + 1, before]
    plain = updater(front, tmp_path, canary.token())
    plain.refresh()
    leads = plain.get_targetinfo(canary_path(LIST))
    assert leads
    staged = Manifest.model_validate_json(Path(plain.download_target(leads)).read_bytes())
    listed = plain.get_targetinfo(staged.artefacts["jsonl"].path)
    assert listed
    plain.download_target(listed)
    other = updater(front, tmp_path, front.provider.token())
    for target in (leads, listed):
        with pytest.raises(DownloadHTTPError) as refused:
            other.download_target(target, str(tmp_path / "not"))
        assert refused.value.status_code == 404


def test_no_log_names_a_listed_address_a_token_or_who_asked(front: Front) -> None:
    token = front.provider.token()
    front.get(f"{LATEST}?secret=query", token)
    front.get(f"/v1/lists/{LIST}/no-such-thing?secret=query", token)
    written = front.nginx.written("no-such-thing")
    assert f"GET {LATEST} 200" in written
    for secret in ("example.test", token.split(".")[2], "query", "127.0.0.1"):
        assert secret not in written
