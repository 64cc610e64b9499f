"""`dataops pool create|status|rm`: a file system on which replicas share their blocks."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataops.cli.commands.env_options import confirm, output_option
from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.tables import print_facts, print_json, print_table
from dataops.infra.errors import ConfigurationError

if TYPE_CHECKING:
    from dataops.envs.pool_status import PoolStatus

pool = LazyGroup(
    "pool",
    {
        "create": Entry("dataops.cli.commands.pool:create", "Make the pool, or mount the one that is there."),
        "status": Entry("dataops.cli.commands.pool:status", "Show how clones are made and what each takes."),
        "rm": Entry("dataops.cli.commands.pool:rm", "Remove the pool."),
    },
    help="""A file system on which replicas share their blocks: clones take no time and cost what they change.

    \b
    Examples:
      sudo dataops pool create --size 50G      root is needed once
      dataops pool status                      technique, sizes, free space
    """,
)


class Size(click.types.StringParamType):
    """A number of bytes, as `50G`, `50GiB` or `500MB`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from dataops.infra.platform.quantities import bytes_of

        if isinstance(value, int):
            return value
        text = re.sub(r"^([0-9.]+)([KMGT])$", r"\1\2iB", str(value).strip())
        try:
            return bytes_of(text)
        except ValueError:
            self.fail(f"{value!r} is no size; write 50G, 50GiB or 500MB.", param, ctx)


@click.command()
@click.option("--size", type=Size(), default=0, metavar="SIZE", help="How large it may become.")
@click.option("--kind", type=click.Choice(["xfs", "btrfs"]), help="The file system; by default XFS.")
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Where it is mounted; its image, PATH.img, lies beside that. By default `pool` in DATAOPS_HOME.",
)
@click.option("--owner", metavar="USER", help="Who works in it afterwards; by default whoever calls.")
@click.option("--boot", is_flag=True, help="Add a line to /etc/fstab, so that it is mounted when the machine starts.")
@output_option
def create(size: int, kind: str | None, path: Path | None, owner: str | None, boot: bool, as_json: bool) -> None:
    """Make the pool: an XFS or btrfs file system in a sparse file, where replicas made from now on will lie.

    What exists stays where it is. Root is needed to mount it; without root everything else is done and what is to be
    typed as root is printed. The same command mounts it again after a restart of the machine.

    \b
    Examples:
      sudo dataops pool create --size 50G --boot
      dataops pool create --size 20G --path /data/dataops-pool
    """
    from dataops.envs.pool import PoolRequest
    from dataops.envs.pool import create as make
    from dataops.infra.platform.quantities import size_text

    user = _user(owner)
    request = PoolRequest(size, kind or "", path.absolute() if path else None, (user.pw_uid, user.pw_gid), boot)
    made = make(request, _home(user))
    if as_json:
        print_json({**made.pool.to_json(), "changed": made.changed})
        return
    what = "is ready" if made.changed else "is there already. Nothing changed"
    click.echo(f"The pool {what}: {made.pool.kind}, up to {size_text(made.pool.size)}, on {made.pool.mount}.")
    click.echo("Replicas and golden directories that are made from now on lie in it: dataops pool status")
    if not made.pool.boot:
        click.echo(f"After a restart of the machine mount it again: {made.pool.mount_command}")


@click.command()
@output_option
def status(as_json: bool) -> None:
    """Show how clones are made, what each environment and golden directory takes, and what is free.

    SIZE is what its files hold, OWN what stands in blocks that nobody else has: what removing it would free. The
    file system itself tells (FIEMAP); the rest of USED is what several share.

    \b
    Examples:
      dataops pool status
      dataops pool status -o json
    """
    from dataops.envs.pool_status import status as look
    from dataops.infra.platform.layout import default_home

    found = look(default_home())
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_option
def rm(yes: bool, as_json: bool) -> None:
    """Remove the pool with the golden directories in it, which are built again where they are needed.

    It is refused while an environment lives in it.

    \b
    Example:
      sudo dataops pool rm --yes
    """
    from dataops.envs.pool import remove

    confirm("Remove the pool and everything in it?", yes, "dataops pool rm")
    removed = remove(_home(_user(None)))
    if as_json:
        print_json({**removed.to_json(), "removed": True})
        return
    click.echo(f"The pool on {removed.mount} is gone.")


def _user(named: str | None) -> pwd.struct_passwd:
    """Who will work in the pool."""
    name = named or (os.environ.get("SUDO_USER") if os.geteuid() == 0 else None)
    try:
        user = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise ConfigurationError(f"there is no user {name or os.geteuid()}", where="--owner") from None
    if os.geteuid() not in (0, user.pw_uid):
        raise ConfigurationError(f"only root can make a pool for {user.pw_name}", where="--owner")
    return user


def _home(user: pwd.struct_passwd) -> Path:
    """The home of dataops that the user has; root may make a pool for somebody else."""
    from dataops.infra.platform.layout import default_home

    if "DATAOPS_HOME" in os.environ or user.pw_uid == os.geteuid():
        return default_home()
    return Path(user.pw_dir) / ".local" / "share" / "dataops"


def _print(found: PoolStatus) -> None:
    from dataops.infra.platform.quantities import size_text

    pool = found.pool
    if found.technique:
        click.echo(f"Replicas are cloned by {click.style(found.technique, bold=True)}.")
    else:
        click.echo("No replica can be made: the pool is not mounted.")
    facts = [("pool", f"{pool.kind} on {pool.mount}" if pool else "none")]
    if pool is not None and not found.mounted:
        facts.append(("state", "not mounted"))
    else:
        facts.append(("room", f"{size_text(found.used)} of {size_text(found.size)} used, {size_text(found.free)} free"))
    if pool is not None:
        facts.append(("image", f"{pool.image}, {size_text(found.room.image)} of {size_text(pool.size)} on the disk"))
        facts.append(("disk", f"{size_text(found.room.below)} free below it"))
    if found.room.lacking:
        facts.append(("warning", f"the disk below it lacks {size_text(found.room.lacking)} for it to fill: free some"))
    if found.faster:
        facts.append(("mount it" if pool else "faster", found.faster))
    print_facts(facts)
    if found.tenants:
        click.echo()
        rows = [
            (t.kind, t.platform, t.name, "yes" if t.pooled else "no", *map(size_text, (t.logical, t.own)))
            for t in found.tenants
        ]
        print_table(("KIND", "PLATFORM", "NAME", "IN THE POOL", "SIZE", "OWN"), rows)
