"""One module a platform: payload → Mention or Forget."""

from listener.ports import Source
from listener.sources import airlines, canonical, threads

FORMATS: dict[str, Source] = {
    "canonical": canonical.parse,
    "airlines": airlines.parse,
    "threads": threads.parse,
}
"""Format name, as the policy has it → parser."""

__all__ = ["FORMATS"]
