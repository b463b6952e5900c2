"""A provider makes its keys, the operator admits it, the provider accepts: from nothing to a list."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.client.matcher import Matcher
from app.client.session import Connection, Credentials
from app.client.store import Store
from app.client.sync import bring_up
from app.client.trusted import Trust
from app.core import age, jose, note, signup
from app.core.signup import Signup
from app.core.terms import Confidentiality, Format, Kind
from app.identity import service as identity
from tests.programs.service import LIST, Service, approve, new_entry, replay, running

FILES = {"client.jwk.json", "age.txt", "signup.json"}


class Desk:
    """The commands of both sides, against one running service."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.folder = service, folder

    def run(self, *words: str | Path, code: int = 0) -> Result:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output
        return done

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run(*words, "--json", code=code).stdout.splitlines()[0])
        return answer

    def onboard(self, name: str) -> Path:
        """A provider's folder."""
        folder = self.folder / name
        self.run("isp", "onboard", "--name", name, "--country", "NL", "--out", folder)
        return folder

    def admit(self, provider: Path, *words: str | Path, code: int = 0) -> dict[str, Any]:
        welcome: list[str | Path] = ["--out", provider / "welcome.json"]
        return self.json("org", "admit", provider / "signup.json", *welcome, *words, code=code)

    def recipients(self, organisation: str) -> list[str]:
        found: list[str] = self.json("org", "recipient", "list", "--org", organisation)["recipients"]
        return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("onboarding")
    with running(Service(folder / "home")) as service, pytest.MonkeyPatch.context() as patch:
        service.add_list(confidentiality=Confidentiality.SEALED, formats=[Format.JSONL])
        service.add_list("open")
        patch.delenv("WARDLIST_DATABASE_URL", raising=False)
        for name, value in {**service.environment, "WARDLIST_ISSUER": service.address}.items():
            patch.setenv(name, value)
        yield Desk(service, folder)
        replay(service)


def test_from_keys_to_an_installed_sealed_list(desk: Desk) -> None:
    folder = desk.folder / "first"
    made = desk.json("isp", "onboard", "--name", "First", "--country", "NL", "--out", folder)
    assert {path.name for path in folder.iterdir()} == FILES
    assert folder.stat().st_mode & 0o777 == 0o700
    for secret in ("client.jwk.json", "age.txt"):
        assert (folder / secret).stat().st_mode & 0o777 == 0o600
    assert f"# public key: {made['recipient']}\n" in (folder / "age.txt").read_text()

    admitted = desk.admit(
        folder, "--list", LIST, "--list", "open", "--fingerprint", made["fingerprint"].upper()
    )
    assert admitted["fingerprint"] == made["fingerprint"]
    assert len(made["fingerprint"].split()) == 16
    assert desk.recipients(admitted["organisation"]) == [made["recipient"]]

    accepted = desk.json("isp", "accept", folder / "welcome.json", "--dir", folder)
    assert (folder / "1.root.json").read_bytes() == desk.service.root
    assert (folder / "credentials.json").stat().st_mode & 0o777 == 0o600
    for word in ("wardlist isp watch", f"--list {LIST} --list open", "--identity", "--log-vkey"):
        assert word in accepted["next"]

    with desk.service.connect(Kind.HOTLINE) as hotline, desk.service.connect(Kind.REVIEW_BODY) as reviewer:
        approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
    desk.service.publish()
    store, secret = Store(folder / "lists"), (folder / "age.txt").read_text().splitlines()[-1]
    trust = Trust(
        root=(folder / "1.root.json").read_bytes(),
        log_key=note.Verifier.parse(accepted["log_vkey"]),
        identities=(secret,),
    )
    with Connection(Credentials.read(folder / "credentials.json")) as connection:
        assert bring_up(connection, LIST, store, trust).version == 1
    assert Matcher.of(store).matches("https://a.example.test/1")


def test_no_private_half_is_in_what_is_sent(desk: Desk) -> None:
    folder = desk.onboard("private")
    desk.admit(folder)
    secrets = [json.loads((folder / "client.jwk.json").read_text())["d"]]
    secrets.append((folder / "age.txt").read_text().splitlines()[-1])
    for sent in ("signup.json", "welcome.json"):
        assert not [one for one in secrets if one in (folder / sent).read_text()]


def test_nothing_is_overwritten(desk: Desk) -> None:
    folder = desk.onboard("again")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    answer = desk.json("isp", "onboard", "--name", "x", "--country", "NL", "--out", folder, code=1)
    assert "not overwritten" in answer["error"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "welcome.json").write_text("mine")
    assert "not overwritten" in desk.admit(folder, code=1)["error"]
    assert (folder / "welcome.json").read_text() == "mine"
    (folder / "welcome.json").unlink()
    desk.admit(folder)
    desk.json("isp", "accept", folder / "welcome.json", "--dir", folder)
    credentials = (folder / "credentials.json").read_bytes()
    assert (
        "not overwritten"
        in desk.json("isp", "accept", folder / "welcome.json", "--dir", folder, code=1)["error"]
    )
    assert (folder / "credentials.json").read_bytes() == credentials


def renamed(request: dict[str, Any]) -> None:
    request["name"] = "Another provider"


def other_recipient(request: dict[str, Any]) -> None:
    request["recipients"] = [age.generate()[1]]


def other_key(request: dict[str, Any]) -> None:
    request["jwk"] = jose.public_part(jose.generate())


def signed_by_another(request: dict[str, Any]) -> None:
    rest = {name: value for name, value in request.items() if name != "proof"}
    request["proof"] = jose.sign(rfc8785.dumps(rest), jose.generate())


def without_proof(request: dict[str, Any]) -> None:
    del request["proof"]


def with_more(request: dict[str, Any]) -> None:
    request["scopes"] = ["admin"]


def not_a_key(request: dict[str, Any]) -> None:
    request["jwk"] = {"kty": "oct", "k": "AAAA"}


CHANGES = [renamed, other_recipient, other_key, signed_by_another, without_proof, with_more, not_a_key]


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_up_that_was_changed_on_the_way_admits_nobody(
    desk: Desk, change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    request = json.loads(Signup.made("Changed", "NL", jose.generate(), [age.generate()[1]]))
    change(request)
    (tmp_path / "signup.json").write_text(json.dumps(request))
    before = desk.service.state()
    assert "nobody is admitted" in desk.admit(tmp_path, "--list", LIST, code=1)["error"]
    assert desk.service.state() == before
    assert not (tmp_path / "welcome.json").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format":"wardlist-signup/1"}', b"\xff" * 9, b" " * 2_000_000]
)
def test_what_is_no_sign_up_admits_nobody(desk: Desk, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "signup.json").write_bytes(content)
    assert "nobody is admitted" in desk.admit(tmp_path, code=1)["error"]


def test_what_is_read_out_by_telephone_is_labelled(desk: Desk) -> None:
    folder = desk.onboard("labelled")
    welcome = folder / "welcome.json"
    done = desk.run("org", "admit", folder / "signup.json", "--out", welcome)
    found = dict(line.split(":", 1) for line in done.stdout.splitlines())
    given = json.loads(welcome.read_text())
    signed_up = json.loads((folder / "signup.json").read_text())
    assert {label: value.strip() for label, value in found.items()} == {
        "client": given["client_id"],
        "root": signup.grouped(given["root_sha256"]),
        "log key": given["log_vkey"],
        "provider's key": signup.fingerprint(signed_up["jwk"]["kid"]),
    }
    other = desk.admit(desk.onboard("labelled-too"))
    assert (other["root_fingerprint"], other["log_vkey"]) == (found["root"].strip(), given["log_vkey"])
    assert other["client_id"]
    assert "--fingerprint" in desk.run("org", "admit", "--help").stdout


def test_a_whole_file_put_in_place_of_the_providers_is_found_out_by_telephone(
    desk: Desk, tmp_path: Path
) -> None:
    read_out = desk.json("isp", "onboard", "--name", "Real", "--country", "NL", "--out", tmp_path / "real")
    forged = tmp_path / "forged"
    desk.run("isp", "onboard", "--name", "Real", "--country", "NL", "--out", forged)
    assert "another one" in desk.admit(forged, "--fingerprint", read_out["fingerprint"], code=1)["error"]
    assert desk.admit(tmp_path / "real", "--fingerprint", read_out["fingerprint"])["organisation"]


def test_all_or_nothing(desk: Desk) -> None:
    folder = desk.onboard("whole")
    before = desk.service.state()
    assert desk.admit(folder, "--list", LIST, "--list", "none", code=1)["problem"]["status"] == 422
    nowhere: list[str | Path] = ["--out", folder / "signup.json" / "welcome.json"]
    assert "--out" in desk.json("org", "admit", folder / "signup.json", *nowhere, code=1)["error"]
    assert desk.service.state() == before
    desk.admit(folder, "--list", LIST)
    (folder / "welcome.json").unlink()
    assert "registered already" in str(desk.admit(folder, "--org", _owner(desk, "whole"), code=1))


def _owner(desk: Desk, name: str) -> str:
    with desk.service.database.reading() as session:
        return next(found for found, known in identity.providers(session).items() if known == name)


def test_a_provider_that_is_registered_already(desk: Desk) -> None:
    organisation = desk.service.organisation(Kind.ISP, "Old")
    folder = desk.onboard("Old")
    assert "exists" in str(desk.admit(folder, code=1))
    assert desk.admit(folder, "--org", organisation, "--list", LIST)["organisation"] == organisation
    other = desk.onboard("Hotline")
    hotline = desk.service.organisation(Kind.HOTLINE)
    assert desk.admit(other, "--org", hotline, code=1)["problem"]["status"] == 422


def test_a_welcome_for_somebody_else_or_with_another_root_is_refused(desk: Desk, tmp_path: Path) -> None:
    one, other = desk.onboard("one"), desk.onboard("other")
    desk.admit(one)
    accept: list[str | Path] = ["isp", "accept", one / "welcome.json", "--dir"]
    assert "another provider's key" in desk.json(*accept, other, code=1)["error"]
    assert "onboard" in desk.json(*accept, tmp_path, code=1)["error"]
    welcome = json.loads((one / "welcome.json").read_text())
    for name, value in (("root", "{}"), ("client_id", "x"), ("log_vkey", "a b\n"), ("issuer", "file:///x")):
        (one / "welcome.json").write_text(json.dumps({**welcome, name: value}))
        assert desk.json(*accept, one, code=1)["error"]
    assert {path.name for path in one.iterdir()} == {*FILES, "welcome.json"}


def test_a_second_identity_replaces_the_first(desk: Desk) -> None:
    folder = desk.onboard("rotating")
    owner = desk.admit(folder, "--list", LIST)["organisation"]
    first = desk.recipients(owner)[0]
    made = desk.json("isp", "new-identity", "--out", folder)
    assert made["identity"] == str(folder / "age-2.txt")
    assert desk.json("isp", "new-identity", "--out", folder)["identity"] == str(folder / "age-3.txt")
    secret = Path(made["identity"]).read_text().splitlines()[-1]
    assert age.recipient_of(secret) == made["recipient"]

    desk.json("org", "recipient", "add", "--org", owner, made["recipient"])
    assert desk.recipients(owner) == sorted([first, made["recipient"]])
    desk.json("org", "recipient", "end", first)
    assert desk.recipients(owner) == [made["recipient"]]
    for words in (["end", first], ["add", "--org", owner, first], ["add", "--org", owner, "age1x"]):
        assert desk.json("org", "recipient", *words, code=1)["problem"]["status"] == 422
    done = desk.run("org", "recipient", "end", made["recipient"])
    assert "cannot open sealed lists" in " ".join(done.stderr.split())
    assert desk.run("org", "recipient", "list", "--org", owner).stdout == "no recipient\n"


def test_nobody_subscribes_to_a_sealed_list_without_a_recipient(desk: Desk) -> None:
    organisation = desk.service.organisation(Kind.ISP)
    sealed = ["list", "subscribe", LIST, "--org", organisation]
    assert desk.json(*sealed, code=1)["problem"]["type"] == "urn:wardlist:problem:recipient-missing"
    desk.service.add_list("plain-first")
    desk.json("list", "subscribe", "plain-first", "--org", organisation)
    policy = ["list", "policy", "plain-first", "--set", "confidentiality=sealed"]
    assert desk.json(*policy, code=1)["problem"]["type"] == "urn:wardlist:problem:recipient-missing"
    desk.json("org", "recipient", "add", "--org", organisation, age.generate()[1])
    desk.json(*policy)
    desk.json(*sealed)


def test_age_keygen_reads_the_identity(desk: Desk) -> None:
    folder = desk.onboard("keygen")
    program = shutil.which("age-keygen")
    if program is None:
        pytest.skip("age-keygen is not installed")
    command = [program, "-y", str(folder / "age.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == json.loads((folder / "signup.json").read_text())["recipients"][0]


def test_the_proof_is_an_ordinary_signature_over_the_rest(desk: Desk) -> None:
    folder = desk.onboard("proof")
    request = json.loads((folder / "signup.json").read_text())
    payload = request.pop("proof").split(".")[1]
    assert base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)) == rfc8785.dumps(request)
