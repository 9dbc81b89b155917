"""What a workspace or a project may want otherwise of Slack; the plugin declares it, the host acts by it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class SlackPolicy:
    """How the host speaks in a project's channels.

    Attributes:
        replies_in_threads: whether what follows on a message goes into its thread, not into the channel.

    >>> SlackPolicy().replies_in_threads
    True
    """

    replies_in_threads: bool = True
