"""An engine that somebody else runs, as ranking sees it."""


class RemoteRankServer:
    """A RankServer (rank_server.py) that is somebody else's; load is always None."""
