"""Clients of a service whose keys change, and a thief who has an old one."""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import Updater

from app.client.session import Connection
from app.lists.repository import Repository
from tests.programs.service import LIST, Service, approve, new_entry


def list_one(service: Service, hotline: Connection, reviewer: Connection, url: str) -> None:
    approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry(url)).json())
    service.publish()


def plain_client(service: Service, folder: Path) -> Updater:
    """A TUF client that knows nothing of wardlist, pinned at the first root."""
    folder.mkdir(exist_ok=True)
    return Updater(
        metadata_dir=str(folder),
        metadata_base_url=f"{service.address}/tuf/metadata/",
        target_dir=str(folder),
        target_base_url=f"{service.address}/tuf/targets/",
        bootstrap=service.root,
    )


def sign_list_as(service: Service, pem: bytes) -> None:
    """Serve the list's metadata once more, signed by this key; the rest by the service's own."""
    repository = Repository(service.settings.public, service.settings.keys)
    meta, body = repository._meta(), repository.role(LIST)
    body.version = meta[f"{LIST}.json"].version + 1
    signed = Metadata(body)
    signed.sign(CryptoSigner(load_pem_private_key(pem, password=None)))
    files = {f"{body.version}.{LIST}.json": signed.to_bytes(JSONSerializer(compact=True))}
    meta[f"{LIST}.json"] = MetaFile(body.version)
    repository._publish_snapshot(meta, service.clock(), files)
