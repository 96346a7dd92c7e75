"""The model that settings and policy name."""

from __future__ import annotations

import os

from listener.policy import Policy
from listener.settings import Settings
from models.classifier import Classifier
from models.load import load


def load_model(settings: Settings, policy: Policy) -> Classifier:
    """Raises ModelError."""
    return load(
        settings.model,
        threads=settings.model_threads or os.cpu_count() or 1,
        labels=policy.model.labels,
        languages=policy.model.languages,
    )
