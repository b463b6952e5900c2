"""`wardlist mail`: the key that a domain publishes."""

from tests.cli.terminal import Terminal


def test_the_key_is_made_once_and_what_to_do_with_it_is_said(terminal: Terminal) -> None:
    sender = {"WARDLIST_MAIL_FROM": "notices@wardlist.example"}
    first, why = terminal.run("mail", "key", environment=sender)
    assert first.startswith('wardlist._domainkey.wardlist.example. IN TXT "v=DKIM1; k=rsa; p=')
    assert "in the DNS of wardlist.example" in why
    assert terminal.run("mail", "key", environment=sender)[0] == first


def test_no_key_is_made_for_what_is_no_address(terminal: Terminal) -> None:
    for sender in ({}, {"WARDLIST_MAIL_FROM": "wardlist.example"}, {"WARDLIST_MAIL_FROM": "notices@"}):
        assert "WARDLIST_MAIL_FROM" in terminal.run("mail", "key", environment=sender, code=1)[1]
    assert not (terminal.service.settings.keys / "dkim.pem").exists()
