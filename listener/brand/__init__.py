"""What marketing watches: how a brand stands, and when a burst is real and matters."""

from listener.brand.clock import due
from listener.brand.figures import risk
from listener.brand.policy import BrandPolicy
from listener.brand.state import BrandState
from listener.brand.watch import lapse, observe
from listener.brand.weight import weigh

__all__ = ["BrandPolicy", "BrandState", "due", "lapse", "observe", "risk", "weigh"]
