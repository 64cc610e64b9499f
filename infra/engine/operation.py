"""One operation on one stack: puts the parts of the engine together and takes them through its phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dataops.infra.engine.builtin_provider import BuiltinProvider
from dataops.infra.engine.callbacks import Callbacks
from dataops.infra.engine.default_providers import DefaultProviders, recorded_plugins
from dataops.infra.engine.deletes import perform_deletes, plan_deletes
from dataops.infra.engine.deployment import Bail, Deployment, DeploymentOptions
from dataops.infra.engine.engine_service import EngineService
from dataops.infra.engine.executor import Executor
from dataops.infra.engine.hooks import Hooks, delete_hooks
from dataops.infra.engine.monitor import Monitor
from dataops.infra.engine.performing import Performer
from dataops.infra.engine.plan_keeping import PlanKeeping
from dataops.infra.engine.program import RunningProgram
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.recorder import Recorder
from dataops.infra.engine.refresh import rebuilt, refresh_all, refresh_leftovers
from dataops.infra.engine.registration import Registrations
from dataops.infra.engine.remote_components import RemoteComponents
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.server import Server
from dataops.infra.engine.step_generator import StepGenerator
from dataops.infra.engine.transforms import Transforms
from dataops.infra.errors import DataopsError, ProgramError
from dataops.infra.providers.base import Provider
from dataops.infra.providers.registry import ProviderContext, ProviderRegistry
from dataops.infra.resources.state import Deployment as Recorded
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import ROOT_STACK_TYPE
from dataops.infra.resources.values import Properties, Secret
from dataops.infra.state.backend import StackReference
from dataops.infra.state.session import UpdateSession

_PROGRAM_END_SECONDS = 10.0
"""How long a program may take to end once everything is done."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an operation is given from outside.

    Args:
        config: the stack's configuration.
        registry: finds providers.
        dynamic: connects to a dynamic provider that has been started early; None when none was.
        recorded: what is recorded of another stack, by its name.
        context: what providers are told.
    """

    config: Mapping[str, str | Secret]
    registry: ProviderRegistry
    dynamic: Callable[[], Provider] | None
    recorded: Callable[[str], Recorded]
    context: ProviderContext


class Operation:
    """An update, refresh or destroy under way, or the preview of one."""

    def __init__(
        self,
        reference: StackReference,
        options: DeploymentOptions,
        session: UpdateSession,
        resources: list[ResourceState],
        reporter: Reporter,
        around: Surroundings,
    ) -> None:
        self._session = None if options.preview else session
        self._report = reporter
        self._around = around
        self.deployment = Deployment(reference, options, resources)
        context = replace(around.context, preview=options.preview, log=reporter.diagnostic)
        self.providers = ProviderResources(self.deployment, self._provide, context)
        self._dynamic = around.dynamic
        self.keeping = PlanKeeping(options.plan, options.make_plan)
        self._generator = StepGenerator(self.deployment, self.providers, reporter, self.keeping)
        self._recorder = Recorder(self.deployment, self._session)
        self._hooks = Hooks(options.preview, reporter)
        performer = Performer(self.deployment, self.providers, self._generator.deletes)
        self.executor = Executor(self.deployment, performer, self._recorder, reporter, self._hooks, self.keeping)
        self._stack_outputs: tuple[str, Properties] | None = None

    def refresh(self) -> None:
        """Reads what exists; raises `Bail` when something could not be read."""
        refresh_all(self.deployment, self.providers, self.executor)
        if self.deployment.failed:
            raise Bail("refresh")
        if self._session is not None:
            resources = self._session.rebase().resources
        else:
            resources = rebuilt(self.deployment.resources, self.executor.refreshed)
        self.deployment.rebase(resources)
        self._recorder.rebase(resources)

    def check_named(self) -> None:
        """Refuses targets and exclusions that are not recorded, where there is no program to add them; `Bail` then."""
        targets, known = self.deployment.options.targets, {state.urn for state in self.deployment.resources}
        missing = [*targets.chosen.missing(known), *targets.excluded.missing(known)]
        for urn in missing:
            self._report.error(f"'{urn}' is not in the stack; mind that a shell replaces $ unless it is quoted")
        if missing:
            raise Bail("named")

    def check_replaced(self) -> None:
        """Refuses to replace what is not there; `Bail` after it was reported."""
        missing = self.deployment.options.targets.replaced.missing(self.deployment.olds.keys())
        for urn in missing:
            self._report.error(f"the resource to replace, '{urn}', is not in the stack")
        if missing:
            raise Bail("replaced")

    def run_program(self, program: RunningProgram) -> ProgramError | None:
        """Runs the program, then deletes what it no longer asks for; returns why the program failed, if it did."""
        deployment, callbacks, transforms = self.deployment, Callbacks(), Transforms()
        defaults = DefaultProviders(self._around.config, recorded_plugins(deployment.resources))
        self.providers.needed_by = defaults.needed_by
        registrations = Registrations(transforms, callbacks, defaults, self._around.context.root)
        remote = RemoteComponents(deployment, self.providers, registrations, self._around.config)
        monitor = Monitor(
            deployment,
            self._generator,
            self.executor,
            self.providers,
            registrations,
            remote,
            transforms,
            callbacks,
            self._hooks,
            self._report,
            self._around.config,
        )
        defaults.register = monitor.register
        server = Server(monitor, EngineService(deployment, self._report))
        remote.monitor = server.address
        error: ProgramError | None = None
        try:
            program.start(self._settings(server.address), self._report.diagnostic, deployment.attention.set)
            deployment.attention.wait()
            if not (monitor.finished or deployment.cancelled.is_set()):
                error = program.error(_PROGRAM_END_SECONDS)
            if error is not None:
                deployment.fail(stop=True)
            self.executor.wait()
            if deployment.options.kind == "destroy":
                self._forget_program()
            if not deployment.cancelled.is_set():
                try:
                    self._finish_leftovers()
                except Bail:
                    # What cannot be deleted does not take from the stack the outputs that it has by now.
                    deployment.fail(stop=True)
            if deployment.options.kind != "destroy":
                self._stack_outputs = monitor.stack_outputs
                self.finish_stack()
            monitor.may_shut_down.set()
            if monitor.finished and not deployment.failed:
                error = program.error(_PROGRAM_END_SECONDS)
        except KeyboardInterrupt:
            self.interrupt()
            raise
        finally:
            monitor.may_shut_down.set()
            deployment.cancelled.set()
            self.executor.wait()
            callbacks.close()
            server.stop()
            program.stop()
        return error

    def finish_stack(self) -> None:
        """Records the stack's outputs, last of all."""
        if self._stack_outputs is None:
            return
        urn, outputs = self._stack_outputs
        if urn in self.deployment.news:
            self.executor.register_outputs(urn, outputs, failed=self.deployment.failed)

    def _forget_program(self) -> None:
        """Takes what the program of a destroy has registered for what is recorded: none of it is to stay."""
        if self._session is not None:
            resources = self._session.rebase().resources
        else:
            found, left = self.deployment.news, self.deployment.resources
            left = [state for state in left if not self._generator.operated_on(state.urn) or state.delete]
            resources = [*found.values(), *left]
        self.deployment.rebase(resources)
        self._recorder.rebase(resources)
        self._generator.planned.clear()

    def _finish_leftovers(self) -> None:
        """Does what is to be done about resources that the program has not asked for."""
        self.deployment.settle()
        if self.deployment.options.kind == "refresh":
            refresh_leftovers(self.deployment, self._generator, self.providers, self.executor)
        else:
            self.delete_leftovers(hooks=True)

    def delete_leftovers(self, hooks: bool = False) -> None:
        """Deletes what the program has not asked for: everything, when none was run.

        Args:
            hooks: whether hooks can be run.
        """
        if not hooks:
            self._refuse_hooks()
        steps = plan_deletes(self.deployment, self._generator, self.providers, self._report, self.keeping)
        perform_deletes(steps, self.deployment, self.executor)

    def _refuse_hooks(self) -> None:
        """Refuses to delete what has hooks for that, which only the program has; `Bail` after it was reported."""
        hooked = {state.urn: names for state in self.deployment.resources if (names := delete_hooks(state))}
        for urn, names in hooked.items():
            self._report.error(
                f"it has hooks for its deletion, and no program runs that has them: {', '.join(names)}\n"
                "hint: destroy with --run-program",
                urn,
            )
        if hooked:
            raise Bail("hooks")

    def outputs(self) -> Properties:
        """The stack's outputs as they are now."""
        known = [*self.deployment.news.values(), *self.deployment.resources]
        if self._session is not None:
            return self._session.outputs()
        return next((state.outputs for state in known if state.type == ROOT_STACK_TYPE), {})

    def interrupt(self) -> None:
        """Stops starting work, asks what is under way to end, and waits for it; asked again, ends the providers.

        What a provider was doing when it was ended is then recorded as pending.
        """
        self.deployment.fail(stop=True)
        try:
            self.providers.cancel()
        except DataopsError as error:
            self._report.warning(str(error))
        try:
            self.executor.wait()
        except KeyboardInterrupt:
            self.providers.close()
            self.executor.wait()

    def _provide(self, context: ProviderContext) -> Provider:
        if context.package == "pulumi":
            return BuiltinProvider(self._around.recorded, self.deployment.news.get)
        if context.package == "pulumi-python" and self._dynamic is not None:
            connect, self._dynamic = self._dynamic, None
            return connect()
        return self._around.registry.provide(context)

    def _settings(self, address: str) -> dict[str, object]:
        options, stack, config = self.deployment.options, self.deployment.reference, self._around.config
        return {
            "address": address,
            "project": stack.project,
            "stack": stack.stack,
            "config": {key: str(v.value) if isinstance(v, Secret) else v for key, v in config.items()},
            "secrets": [key for key, value in config.items() if isinstance(value, Secret)],
            "parallel": options.parallel,
            "preview": options.preview,
        }
