"""`dataops images bootstrap|ls`: the images that containers of environments are made from."""

from __future__ import annotations

from pathlib import Path

import click

from dataops.cli.commands.env_options import output_option
from dataops.cli.lazy import Entry, LazyGroup
from dataops.cli.tables import print_json, print_table

images = LazyGroup(
    "images",
    {
        "bootstrap": Entry("dataops.cli.commands.images:bootstrap", "Make base images without a registry."),
        "ls": Entry("dataops.cli.commands.images:ls", "List images, their digests and who uses them."),
    },
    help="""The images that containers of environments are made from.

    \b
    Examples:
      dataops images bootstrap                 from packages, where no registry can be reached
      dataops images ls
    """,
)


@click.command()
@click.option(
    "--s3-gateway",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A versitygw for Linux that somebody has built, instead of building one.",
)
@click.option("--only", type=click.Choice(("all", "s3")), default="all", help="Make the image of the S3 server alone.")
@output_option
def bootstrap(as_json: bool, s3_gateway: Path | None, only: str) -> None:
    """Make base images without a registry: Debian with Python, Postgres as snapshots have it, the S3 server of lakes.

    Debian's packages are fetched by mmdebstrap; the S3 server is built from Go modules by the `go` on PATH. What is
    there already stays as it is.

    \b
    Examples:
      dataops images bootstrap
      dataops images bootstrap --s3-gateway ./versitygw
    """
    from dataops.cli.notices import notice
    from dataops.cli.wiring import docker_engine
    from dataops.infra.platform.layout import default_home
    from dataops.infra.providers.docker.bootstrap import bootstrap as make
    from dataops.infra.providers.docker.bootstrap import bootstrap_gateway

    if only == "s3":
        made = [bootstrap_gateway(docker_engine(), notice, s3_gateway)]
    else:
        made = make(docker_engine(), default_home(), notice, s3_gateway)
    if as_json:
        print_json([{"name": image.name, "id": image.image_id, "built": image.built} for image in made])
        return
    rows = [(image.name, image.image_id[7:19], "made" if image.built else "was there") for image in made]
    print_table(("IMAGE", "ID", "RESULT"), rows)


@click.command()
@output_option
def ls(as_json: bool) -> None:
    """List base images, those that platforms built, and those that environments run: digest, users, what each takes.

    The digest of a name is that which it had when the environment's commit was first made; it is kept for the commit.

    \b
    Example:
      dataops images ls
    """
    from dataops.cli.wiring import docker_engine
    from dataops.envs.images import listed_images
    from dataops.envs.registry import registries
    from dataops.infra.platform.quantities import size_text
    from dataops.infra.providers.docker.listing import known_images

    records = [record for registry in registries() for record in registry.survey()[0]]
    found = listed_images(known_images(docker_engine()), records)
    if as_json:
        print_json([image.to_json() for image in found])
        return
    rows = [
        (
            image.name,
            image.image_id[7:19],
            image.digest.partition("@")[2][:19] or "-",
            ", ".join(image.used_by) or "-",
            size_text(image.size) if image.size else "-",
        )
        for image in found
    ]
    print_table(("IMAGE", "ID", "DIGEST", "USED BY", "SIZE"), rows)
