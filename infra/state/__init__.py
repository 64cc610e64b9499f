"""What is known of stacks, kept where the Pulumi CLI keeps it and in its formats.

A *backend* keeps *stacks*. A stack has a *checkpoint*, the JSON of its deployment; a *history*, one record per update;
and, while an update is at work, a *lock* and a *journal*. The journal says what has happened since the checkpoint was
written; *folding* it gives the next checkpoint. What a killed update leaves is folded by the next command; a journal
that extends another checkpoint than the stack's is *lost*: it is kept, and listed for the user to look at.

    backend.py          the protocol and its values        session.py     one update, as the engine sees it
    stack_backend.py    the protocol over any storage      update.py      the session that all backends use
    stack_files.py      the files of one stack             repair.py      damaged checkpoints and their good copies
    storage.py          files, logs, exclusion: the protocol; file_storage.py, memory.py and s3_storage.py have it
    s3_location.py      `s3://` URLs                       s3_client.py   the client, and its errors in our words
    journal.py          entries; journal_log.py: how they are written; fold.py: what they come to
    leftover.py         journals that were found; the commit
    checkpoint.py, resource_json.py, property_json.py      Pulumi's JSON; migration.py: its earlier versions; meta.py
    lease.py            locks that are leases; holder.py: what they say of their holders; lock.py: those of stacks
    encryption.py, passphrase.py                           secrets at rest
    project.py, stack_config.py, config_path.py            Pulumi.yaml and Pulumi.<stack>.yaml
"""
