"""From the setting LISTENER_MODEL to a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from tokenizers import Tokenizer

from listener.errors import ModelError
from models.classifier import Classifier, Labeller
from models.labels import HEADS
from models.runtime import CodebookLabeller, ModelConfig, OnnxRuntime, Runtime

PACKAGED: Final = Path(__file__).parent / "weights" / "listener-minilm"


def load(
    spec: str = "packaged",
    *,
    threads: int,
    labels: Mapping[str, str] | None = None,
    languages: tuple[str, ...] = ("en",),
) -> Classifier:
    """`packaged`, a folder that `listener model export` wrote, or `hf:` and a folder or hub id.

    `labels` and `languages` are those of the policy and count for `hf:` only. Raises ModelError.
    """
    if spec.startswith("hf:"):
        return Classifier(_hub(spec.removeprefix("hf:"), labels or {}, languages, threads))
    folder = PACKAGED if spec == "packaged" else Path(spec)
    config = _config(folder)
    try:
        tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        runtime = _runtime(folder, threads)
    except ModelError:
        raise
    except Exception as error:  # noqa: BLE001 - both libraries raise bare Exception
        raise ModelError(
            f"LISTENER_MODEL={spec}: {folder.name} cannot be loaded ({error}); install the package "
            "again, or export the model again"
        ) from None
    return Classifier(CodebookLabeller(config, tokens, runtime))


def _runtime(folder: Path, threads: int) -> Runtime:
    """torch where the folder has its weights, else ONNX Runtime."""
    weights = folder / "model.pt"
    if not weights.exists():
        return OnnxRuntime(folder / "model.onnx", threads=threads)
    _need_torch(str(folder))
    from models.pytorch import TorchRuntime

    return TorchRuntime(weights, threads=threads)


def _hub(
    name: str, labels: Mapping[str, str], languages: tuple[str, ...], threads: int
) -> Labeller:
    _need_torch(f"hf:{name}")
    from models.hub import HubLabeller

    return HubLabeller(name, labels=labels, languages=languages, threads=threads)


def _need_torch(spec: str) -> None:
    try:
        import torch  # noqa: F401 - asked for, not used
        import transformers  # noqa: F401 - the same
    except ImportError:
        raise ModelError(
            f"LISTENER_MODEL={spec} needs torch; pip install 'listener[torch]'"
        ) from None


def _config(folder: Path) -> ModelConfig:
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=ModelConfig)
    except OSError:
        raise ModelError(
            f"LISTENER_MODEL={folder}: no config.json there; give `packaged`, `hf:` and a model, "
            "or a folder that `listener model export` wrote"
        ) from None
    except msgspec.DecodeError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}; export the model again") from None
    if config.heads != HEADS:
        raise ModelError(f"{folder}: heads {config.heads} are not the codebook's; train it again")
    return config
