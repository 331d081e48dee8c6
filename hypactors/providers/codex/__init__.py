"""Codex: session rollouts below its home (import §5)."""

from hypactors.providers.codex._provider import PROVIDER, CodexProvider

__all__ = ["PROVIDER", "CodexProvider"]
