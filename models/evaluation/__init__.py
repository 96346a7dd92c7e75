"""How good the model is, on texts that it was never trained or tuned on."""

from models.evaluation.card import write_card
from models.evaluation.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate", "write_card"]
