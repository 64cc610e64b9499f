"""Programs of the operating system: running them, keeping them alive, and the Postgres server among them.

Words: a *command* runs and ends (`commands`); a *program* is kept running by an environment's *supervisor*
(`supervisor`, `programs`), started through `launch.py`, which drops privileges and reads variables from a file so that
nothing secret is an argument. A *server user* is the unprivileged user that Postgres needs when dataops runs as root
(`users`). A Postgres *cluster* is a data directory with its server (`postgres_*`).
"""
