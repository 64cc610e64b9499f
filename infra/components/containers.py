"""What an environment's containers are made from and where they run, on a target that has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from dataops.infra.components.declaration import Declared
from dataops.infra.components.docker import Belonging, Image, PulledImage
from dataops.infra.platform.dockerfile import BuildPlan, generated_dockerfile
from dataops.infra.platform.model import Images
from dataops.infra.platform.pipelines import Pipeline
from dataops.infra.process.built_images import CODE, repository_of


class ContainerNetwork(Declared):
    """A network of the environment's own on the Docker Engine."""

    token = "dataops:local:ContainerPlace"
    results = ("network", "socket", "files")

    def __init__(
        self, name: str, *, root: Path, image: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declares it; `image` is the id of one to try with whether the engine sees this machine's files."""
        super().__init__(name, {"root": str(root), "image": image}, opts)


@dataclass(frozen=True, slots=True)
class ContainersArgs:
    """What containers are made from.

    Args:
        root: the environment's folder.
        platform_root: the platform's folder below the home.
        belonging: what the labels of images say.
        images: what `dataops.yaml` says of images.
        build: how the code becomes an image.
        pipelines: what `dataops.yaml` says of pipelines: of Dockerfiles and images of their own.
        context: the platform's folder in the worktree.
        worktree: the resource that makes it.
        commit: for the labels.
        record: the file in which is kept what the names of images meant for this commit.
        secrets: of the build: id to the path of a file.
    """

    root: Path
    platform_root: Path
    belonging: Belonging
    images: Images
    build: BuildPlan
    pipelines: Mapping[str, Pipeline]
    context: Path
    worktree: pulumi.Resource
    commit: str
    record: Path
    secrets: Mapping[str, str]


class Containers(pulumi.ComponentResource):
    """The images of an environment, and its network. Data are cloned while the code is built into its image."""

    def __init__(self, name: str, args: ContainersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dataops:components:Containers", name, None, opts)
        self.args = args
        self._below = pulumi.ResourceOptions(parent=self)
        self._by_name: dict[str, PulledImage] = {}
        self.python = self._pulled("python", args.images.python)
        self.postgres = self._pulled("postgres", args.images.server)
        self.lake = self._pulled("lake", args.images.lake)
        self.code = self._code()
        self._own = {
            name: self._built(f"{CODE}-{name}", name, {"dockerfile": pipeline.dockerfile})
            for name, pipeline in args.pipelines.items()
            if pipeline.dockerfile
        }
        for pipeline in args.pipelines.values():
            for image in filter(None, (step.image for step in pipeline.steps)):
                self._pulled(image, image)
        self.network = ContainerNetwork("network", root=args.root, image=self.postgres.image_id, opts=self._below)
        outputs: dict[str, Any] = {"code": self.code.reference}
        self.register_outputs(outputs)

    def place_of_data(self) -> pulumi.Output[dict[str, Any]]:
        """Where the warehouse runs, as resources take it: a `ContainerPlace`."""
        return self._place(self.postgres.image_id)

    def place_of_lake(self) -> pulumi.Output[dict[str, Any]]:
        """Where the lake's server runs."""
        return self._place(self.lake.image_id)

    def place_of_code(self) -> pulumi.Output[dict[str, Any]]:
        """Where pipelines and services run."""
        return self._place(self.code.image_id)

    def images_of_steps(self, pipeline: str) -> dict[str, pulumi.Output[str]]:
        """The ids of the images that steps of a pipeline run in, where that is not the image of the code."""
        found: dict[str, pulumi.Output[str]] = {}
        for step in self.args.pipelines[pipeline].steps:
            if step.image:
                found[step.name] = self._by_name[step.image].image_id
            elif pipeline in self._own:
                found[step.name] = self._own[pipeline].image_id
        return found

    def _pulled(self, name: str, reference: str) -> PulledImage:
        if reference not in self._by_name:
            self._by_name[reference] = PulledImage(name, reference, str(self.args.record), self._below)
        return self._by_name[reference]

    def _code(self) -> Image:
        args = self.args
        made_by: dict[str, pulumi.Input[Any]] = {"dockerfile": args.build.dockerfile}
        if not args.build.dockerfile:
            text = self.python.reference.apply(lambda base: generated_dockerfile(base, args.build.requirements))
            # the name may mean another image one day, which makes another of ours
            made_by = {"dockerfileText": text, "key": self.python.image_id}
        return self._built(CODE, "", made_by)

    def _built(self, resource: str, pipeline: str, made_by: Mapping[str, pulumi.Input[Any]]) -> Image:
        args = self.args
        inputs = {
            "name": repository_of(args.platform_root, args.root.name, pipeline),
            "context": str(args.context),
            "commit": args.commit,
            "secrets": dict(args.secrets) or None,
            "registry": args.images.registry,
            **made_by,
        }
        opts = pulumi.ResourceOptions(parent=self, depends_on=[args.worktree])
        return Image(resource, args.belonging, inputs, opts)

    def _place(self, image: pulumi.Output[str]) -> pulumi.Output[dict[str, Any]]:
        parts = [self.network.output(name) for name in ("root", "network", "socket", "files")]
        return pulumi.Output.all(*parts, image).apply(
            lambda at: {"root": at[0], "network": at[1], "socket": at[2], "files": at[3], "image": at[4]}
        )
