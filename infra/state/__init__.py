"""What is known of stacks, kept where the Pulumi CLI keeps it and in its formats.

A *backend* keeps *stacks*. A stack has a *checkpoint*, the JSON of its deployment; a *history*, one record per update;
and, while an update is at work, a *lock* and a *journal*. The journal says what has happened since the checkpoint was
written; *folding* it gives the next checkpoint. What a killed update leaves is folded by the next command; a journal
that extends another checkpoint than the stack's is *lost*: it is kept, and listed for the user to look at.

    backend.py          the protocol and its values        session.py     one update, as the engine sees it
    stack_backend.py    the protocol over any storage      update.py      the session that all backends use
    file_backend.py     in a folder; memory.py: in memory  journal.py     entries; journal_log.py: their file; fold.py
    storage.py          files, logs, exclusion             leftover.py    journals that were found; the commit
    checkpoint.py, resource_json.py, property_json.py      Pulumi's JSON
    lock.py, holder.py                                     the lease, and whether its holder lives
    encryption.py, passphrase.py                           secrets at rest
    project.py, stack_config.py, config_path.py            Pulumi.yaml and Pulumi.<stack>.yaml
"""
