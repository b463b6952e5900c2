"""The secret that messages to a webhook are signed with. Source: Standard Webhooks 1.0."""

import base64
import hashlib
import hmac


def secret(key: bytes, said: str) -> str:
    """Derived from a key of the installation and stored nowhere: `whsec_` and 32 bytes in base64."""
    derived = hmac.new(key, said.encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"
