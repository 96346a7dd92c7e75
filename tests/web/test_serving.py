"""Who may reach the page at all."""

from __future__ import annotations

import pytest

from listener.errors import SettingsError
from listener.page import access_of
from listener.settings import load_settings
from tests.web.pages import token_setting


def test_without_identity_it_listens_to_this_machine_only() -> None:
    """The error says what to set."""
    assert access_of(load_settings(web_host="127.0.0.1")).open
    with pytest.raises(SettingsError, match="LISTENER_WEB_HOST=0.0.0.0.*LISTENER_WEB_TOKENS"):
        access_of(load_settings(web_host="0.0.0.0"))
    assert not access_of(load_settings(web_host="0.0.0.0", web_tokens=token_setting())).open
    assert not access_of(load_settings(web_host="0.0.0.0", web_proxy_user="X-User")).open


@pytest.mark.parametrize("bad", ["ann", "ann:boss:" + "0" * 64, "ann:admin:token", ":admin:x"])
def test_a_bad_token_setting_is_named_and_not_told(bad: str) -> None:
    with pytest.raises(SettingsError, match="LISTENER_WEB_TOKENS: entry 1") as caught:
        access_of(load_settings(web_tokens=bad))
    assert "boss" not in str(caught.value)
