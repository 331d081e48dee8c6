"""Claude Code: transcripts on disk -> exchanges."""

from hypactors.providers.claude._provider import PROVIDER, ClaudeProvider

__all__ = ["PROVIDER", "ClaudeProvider"]
