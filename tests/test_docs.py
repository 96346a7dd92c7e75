from pathlib import Path

import typer.main

from listener.cli import app
from listener.documents import documents

ROOT = Path(__file__).parent.parent


def test_settings_topics_and_metrics_are_documented_as_they_are() -> None:
    """The tables are written from the code; `listener.documents.write` mends them."""
    for name, content in documents().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == content


def test_every_command_is_in_the_readme() -> None:
    """A command that nobody can find is none."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    group = typer.main.get_command(app)
    for name in group.commands:  # type: ignore[attr-defined]  # a Typer app is a click group
        if name not in ("demo", "version"):
            assert f"listener {name}" in readme, name


def test_the_readme_names_real_files() -> None:
    """No dead link."""
    for name in (
        *(f"docs/{part}.md" for part in ("settings", "topics", "metrics", "benchmarks")),
        *(
            "docs/receivers.md",
            "docs/escalation.md",
            "docs/linking.md",
            "docs/page.png",
            "models/MODEL_CARD.md",
        ),
        "listener/demo/policy.yaml",
    ):
        assert (ROOT / name).exists(), name
