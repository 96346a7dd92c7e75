"""What a person does on the page, to the broker; and the model, for the page's why."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from listener.codec import encode
from listener.errors import ModelError
from listener.feed import replay_letters
from listener.model import load_model
from listener.policy import Policy
from listener.records import Action, DeadLetter
from listener.settings import Settings
from listener.topics import ACTIONS
from models.classifier import Classifier
from models.explain import explain

logger = logging.getLogger(__name__)
PATIENCE_SECONDS: Final = 10.0


class KafkaDesk:
    """Connects with the first action, so that the page starts without it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def act(self, action: Action) -> None:
        """Returns once the broker has it. Raises BrokerError."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                producer = await self._connected()
                await producer.send_and_wait(ACTIONS.name, encode(action), action.subject.encode())
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._settings.unreachable(error) from None

    async def replay(self, key: bytes | None, letter: DeadLetter) -> bool:
        """Sends the original again. Raises BrokerError."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await replay_letters(self._settings, [(key, letter)]) == 1
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._settings.unreachable(error) from None

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(request_timeout_ms=8000, **self._settings.kafka)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer


class ModelExplainer:
    """Loads the model with the first question; one question at a time, off the event loop."""

    def __init__(self, settings: Settings, policy: Policy) -> None:
        self._settings = settings
        self._policy = policy
        self._model: Classifier | None = None
        self._failed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explain")

    async def explain(self, text: str, lang: str | None) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._explain, text, lang)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _explain(self, text: str, lang: str | None) -> list[dict[str, Any]]:
        model = self._loaded()
        found: list[dict[str, Any]] = (
            msgspec.to_builtins(explain(model, text, lang)) if model is not None else []
        )
        return found

    def _loaded(self) -> Classifier | None:
        if self._model is None and not self._failed:
            try:
                self._model = load_model(self._settings, self._policy)
            except ModelError as error:
                self._failed = True
                logger.warning("the page cannot say why: %s", error)
        return self._model
