"""An engine that somebody else runs, as a turn sees it."""


class RemoteServer:
    """A ReadyServer (ready_server.py) that is somebody else's; load is always None.

    `serving_id` begins with `remote-` and stays the same as long as URL, model, build and window
    do; it is no run folder's name. `address` is host and port of the URL. `notes` is empty:
    what it notices while it replies is in `remarks`. `new_stream_id` gives None: closing a stream
    ends its reply.
    """
