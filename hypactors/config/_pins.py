"""The plugins that a document pins, against those that are here.

Nothing is ever installed because a config says so (contract §2): the person who runs the machine
installs packages, and the message says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypactors.config._served import InstallFailure

if TYPE_CHECKING:
    from hypactors.config._catalogue import PluginCatalogue
    from hypactors.config._document import ConfigDocument


def check_pins(document: ConfigDocument, plugins: PluginCatalogue) -> InstallFailure | None:
    """Return the first enabled plugin that is not here as it is pinned (config-control §4.1).

    A plugin that is here came with its package: its ``artifact_hash`` says nothing about it.
    """
    for entry in document.plugins:
        known = plugins.get(entry.name)
        if not entry.enabled:
            continue
        if known is None and (entry.version or entry.artifact_hash or entry.source):
            version = f" {entry.version}" if entry.version else ""
            text = f"{entry.name}{version} is not installed: install the package that provides it"
            return InstallFailure("plugin_install_failed", text)
        if known is not None and entry.version and entry.version != known.version:
            text = f"{entry.name} is pinned to {entry.version}, and {known.version} is here"
            return InstallFailure("bundled_version_mismatch", text)
    return None
