"""The live page: alerts with their reasons, brand risk, fit."""

from listener.web.app import create_app

__all__ = ["create_app"]
