from email.utils import format_datetime

import pytest

from listener.errors import SettingsError
from listener.sinks.http import retry_after
from listener.sinks.webhook import Webhook, sign, verify
from tests.alerts import alert
from tests.receivers import receiver
from tests.worlds import NOW


async def test_a_receiver_can_check_that_the_body_is_ours() -> None:
    """HMAC over timestamp and body: any change breaks it."""
    with receiver() as told:
        sink = Webhook(told.url, "secret")
        await sink.send(alert(), key="k1")
        await sink.close()
    headers, body = told.bodies[0]
    signature, timestamp = headers["Listener-Signature"], headers["Listener-Timestamp"]
    assert headers["Idempotency-Key"] == "k1"
    assert verify(signature, timestamp, body, "secret")
    assert not verify(signature, timestamp, body + b" ", "secret")
    assert not verify(signature, "0", body, "secret")
    assert not verify(sign(timestamp, body, "other"), timestamp, body, "secret")


def test_a_wait_may_be_seconds_or_a_date() -> None:
    """Retry-After in both forms; nonsense is ignored."""
    assert retry_after("7") == 7.0
    assert retry_after(format_datetime(NOW.replace(year=2020))) == 0.0
    assert retry_after("soon") is None
    assert retry_after(None) is None


def test_a_url_that_is_none_is_a_mistake_that_tells_no_secret() -> None:
    """The URL may hold a token: it is never printed."""
    with pytest.raises(SettingsError) as caught:
        Webhook("ftp://token@host/x")
    assert "token" not in str(caught.value)
