"""What snapshots cost, each part beside Postgres's own tools on the same database in the same run.

masking   values per second of each rule
capture   a capture and one after a change, restoring: against `pg_dump`, `pg_restore`, `createdb -T`, `cp -a`
clones    a clone to its first query at 1, 5 and 10 GB; many replicas at once
"""
