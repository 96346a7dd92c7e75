import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import SettingsError
from listener.store import Store
from tests.alerts import alert
from tests.worlds import linked


@given(order=st.permutations(list(range(1, 6))), size=st.integers(1, 3))
def test_the_newest_version_wins_in_any_order(order: list[int], size: int) -> None:
    """A replay, and late writers, never bring an old state back."""
    store = Store("sqlite://")
    versions = [alert(version=n, snippet=f"v{n}") for n in order]
    for start in range(0, len(versions), size):
        store.put_alerts(versions[start : start + size])
    store.put_alerts(random.Random(0).sample(versions, 2))
    assert [a.snippet for a in store.open_alerts()] == ["v5"]
    store.close()


def test_open_alerts_come_most_pressing_first_and_resolved_ones_not_at_all() -> None:
    """The inbox's order."""
    store = Store("sqlite://")
    store.put_alerts(
        [alert("a", priority="P3"), alert("b", priority="P1"), alert("c", state="resolved")]
    )
    assert [a.alert_id for a in store.open_alerts()] == ["b", "a"]
    assert store.counts()["open_alerts"] == 2
    store.close()


def test_a_mention_that_comes_twice_is_seen_once(tmp_path: Path) -> None:
    """Upserts by id; what was written is there after a restart."""
    url = f"sqlite:///{tmp_path}/model.db"
    store = Store(url)
    before = store.revision
    store.put_mentions([linked(1), linked(1), linked(2)])
    assert store.revision > before
    store.close()
    again = Store(url)
    assert {m.mention.mention_id for m in again.mentions()} == {"x:1", "x:2"}
    again.close()


def test_a_bad_url_names_the_setting_and_the_remedy() -> None:
    """Never a bare traceback."""
    with pytest.raises(SettingsError, match="LISTENER_DATABASE"):
        Store("nonsense")
