"""Where the bytes of snapshots lie: a flat map of names to contents, whole or not there.

    base    the protocol `Storage`, with its contract
    local   a folder
    s3      a bucket
    memory  a dictionary, for tests

Names are paths with slashes: `chunks/0a/…` and `<snapshot>/manifest.json`. Nothing that is stored says what it is of;
see `dataops.snapshots.chunks` for that.
"""
