"""Every error that Listener raises on purpose.

ListenerError                 names key, value and remedy; the CLI prints it and exits
├── SettingsError             a deployment setting is missing or wrong
├── PolicyError               the policy file is missing or says something impossible
├── BrokerError               the broker cannot be reached, or a topic is missing or misshapen
├── ModelError                model weights are missing, damaged or do not fit the labels
├── InputError                a file or text that the user named cannot be read
├── InvalidMessage            this record can never be processed: it goes to dead letters
└── DeliveryError             a destination did not take a notice
    ├── DeliveryDelayed       it may take it later: try again
    └── DeliveryRefused       it will never take it: dead letters
"""


class ListenerError(Exception):
    """Something went wrong that a person can mend; the message says how."""


class SettingsError(ListenerError):
    """A deployment setting (environment `LISTENER_…`) is missing or wrong."""


class PolicyError(ListenerError):
    """The policy file is missing, unreadable or contradicts itself."""


class BrokerError(ListenerError):
    """The broker cannot be reached, or its topics are not as they must be."""


class ModelError(ListenerError):
    """The model's files are missing, damaged or of another label space."""


class InputError(ListenerError):
    """A file or text that the user named cannot be read."""


class InvalidMessage(ListenerError):
    """One record that can never be processed. `field` is a path such as `$.author.id`."""

    def __init__(self, reason: str, *, field: str = "$") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class DeliveryError(ListenerError):
    """A destination did not take a notice."""


class DeliveryDelayed(DeliveryError):
    """It may take the notice later. `retry_after` is the wait in seconds it asked for, if any."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class DeliveryRefused(DeliveryError):
    """It will never take this notice."""
