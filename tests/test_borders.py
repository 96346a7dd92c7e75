import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_keep_the_borders_of_the_design() -> None:
    """Rules are pure, adapters know no rules, agents know no adapters (contracts in pyproject)."""
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_machine_path_and_no_registry_is_committed() -> None:
    """A commit fits every machine."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    banned = ("/" + "work/", "/root" + "/", "pypi" + "-more", "file:///" + "opt")
    for name in listed:
        if (
            not name.endswith((".onnx", ".json", ".png", ".svg", ".woff2"))
            and (ROOT / name).exists()
        ):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not [word for word in banned if word in text], name
