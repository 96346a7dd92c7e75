"""`listener receivers` and `listener check`, as operations use them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from listener.checks import checks
from listener.cli import app
from listener.errors import InputError, ListenerError
from tests.destinations.pagerduty import KEY, PagerDuty
from tests.destinations.server import serving

ENTRIES = """
receivers:
  file: {{sink: file, path: {folder}/alerts.jsonl}}
  pager: {{sink: pagerduty, key_env: TEST_PAGER_KEY, url: {url}/v2/enqueue}}
"""


class World:
    def __init__(self, folder: Path, pager: PagerDuty) -> None:
        self.file = folder / "alerts.jsonl"
        self.pager = pager

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    pager = PagerDuty()
    with serving(pager) as server:
        policy = tmp_path / "policy.yaml"
        policy.write_text(ENTRIES.format(folder=tmp_path, url=server.url))
        monkeypatch.setenv("LISTENER_POLICY", str(policy))
        monkeypatch.setenv("TEST_PAGER_KEY", KEY)
        yield World(tmp_path, pager)


def test_a_test_notice_opens_and_ends(world: World) -> None:
    """Nothing is left open at the destination."""
    assert world.run("receivers", "test", "pager").exit_code == 0
    assert list(world.pager.incidents.values()) == [["trigger", "resolve"]]
    assert world.run("receivers", "test", "file").exit_code == 0
    states = [json.loads(x)["alert"]["state"] for x in world.file.read_text().splitlines()]
    assert states == ["open", "resolved"]


def test_a_test_that_fails_says_what_to_mend_and_no_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "f" * 32
    monkeypatch.setenv("TEST_PAGER_KEY", wrong)
    failed = world.run("receivers", "test", "pager").exception
    assert isinstance(failed, InputError)
    assert "receivers.pager: 127.0.0.1: HTTP 400" in str(failed)
    assert wrong not in str(failed)


def test_a_receiver_that_is_not_there_is_named_with_those_that_are(world: World) -> None:
    failed = world.run("receivers", "test", "fax").exception
    assert isinstance(failed, ListenerError)
    assert "fax: no such receiver; one of file, pager" in str(failed)


def test_list_and_check_name_each_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, the variable, and the remedy."""
    assert world.run("receivers", "list").exit_code == 0
    monkeypatch.delenv("TEST_PAGER_KEY")
    listed = world.run("receivers", "list")
    assert listed.exit_code == 1
    assert "receivers.pager.key_env=TEST_PAGER_KEY" in listed.output
    (check,) = [test for name, test in checks() if name == "receivers"]
    with pytest.raises(ListenerError, match="TEST_PAGER_KEY: that environment variable is not set"):
        check()
