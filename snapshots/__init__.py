"""Snapshots: immutable, masked, verified cuts through the warehouse and the lake of an environment.

    capture   reads production in one database snapshot, masks in the stream, writes data and then a signed manifest
    manifest  what a snapshot consists of; `manifest.json`, written last, makes a snapshot exist
    chunks    pieces of data, stored once for all snapshots, encrypted; `contents` lists those of a snapshot
    store     the snapshots of a platform, found and checked; `storage` is where the bytes lie
    removal   snapshots taken away, shredded, kept; `sweep` removes the chunks that nobody refers to
    golden    a snapshot restored once into a stopped, read-only Postgres directory, of which environments are clones
    provider  the resource types `dataops:snapshots:*`

A *rule* says what happens to a column (`masking`); a *policy* is the rules of all columns of a platform. Raw personal
data exists only in the memory of the capturing process.
"""
