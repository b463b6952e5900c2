"""The body of a witness's add-checkpoint request. Source: C2SP tlog-witness."""

import base64
import binascii

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
_MOST_HASHES = 63


class Malformed(ValueError):
    """A body that is no add-checkpoint request. The text says why."""


def request(old: int, proof: list[bytes], checkpoint: bytes) -> bytes:
    """Old size, consistency proof, blank line, the signed checkpoint."""
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), ""]
    return "".join(f"{line}\n" for line in lines).encode() + checkpoint


def parse(body: bytes) -> tuple[int, list[bytes], bytes]:
    """(old size, proof, signed checkpoint). Raises Malformed."""
    head, blank, checkpoint = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        word, _, size = first.partition(" ")
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except (UnicodeDecodeError, binascii.Error):
        raise Malformed("the proof is not base64") from None
    if not blank or word != "old" or not size.isdigit() or len(size) > 19 or (size[0] == "0" and size != "0"):
        raise Malformed("the first line is `old` and a size, and a blank line ends the proof")
    if len(proof) > _MOST_HASHES or any(len(one) != 32 for one in proof):
        raise Malformed("a proof has at most 63 hashes of 32 bytes")
    return int(size), proof, checkpoint
