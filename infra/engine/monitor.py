"""The monitor: the service that a program registers its resources with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from dataops.infra.engine.callbacks import Callbacks
from dataops.infra.engine.default_providers import DisabledDefaultError
from dataops.infra.engine.deployment import Bail, Deployment
from dataops.infra.engine.executor import Executor, StepFailed, is_stack
from dataops.infra.engine.goal import Goal, ReadGoal
from dataops.infra.engine.hooks import Hook, Hooks
from dataops.infra.engine.provider_resources import ProviderResources
from dataops.infra.engine.refresh import reread_step
from dataops.infra.engine.registration import Registrations
from dataops.infra.engine.remote_components import RemoteComponents
from dataops.infra.engine.reporting import Reporter
from dataops.infra.engine.step import Step
from dataops.infra.engine.step_generator import StepGenerator
from dataops.infra.engine.transforms import Transforms
from dataops.infra.engine.turns import Turn, Turns
from dataops.infra.errors import DataopsError, ResourceError
from dataops.infra.providers import wire
from dataops.infra.providers.asset_hash import with_hashes
from dataops.infra.providers.protocol import load
from dataops.infra.resources.references import named_by
from dataops.infra.resources.state import ResourceState
from dataops.infra.resources.urn import make_urn
from dataops.infra.resources.values import Properties, Secret

Planned = TypeVar("Planned")
T = TypeVar("T")

_FEATURES = {
    "secrets": 0,
    "resourceReferences": 1,
    "outputValues": 2,
    "aliasSpecs": 3,
    "replacementTrigger": 4,
    "deletedWith": 5,
    "replaceWith": 6,
    "transforms": 7,
    "invokeTransforms": 8,
    "parameterization": 9,
    "resourceHooks": 10,
    "errorHooks": 11,
}


class Monitor:
    """Serves `ResourceMonitor`. Every call has a thread of its own and waits in it until its resource is done."""

    def __init__(
        self,
        deployment: Deployment,
        generator: StepGenerator,
        executor: Executor,
        providers: ProviderResources,
        registrations: Registrations,
        remote: RemoteComponents,
        transforms: Transforms,
        callbacks: Callbacks,
        hooks: Hooks,
        reporter: Reporter,
        config: Mapping[str, str | Secret],
    ) -> None:
        self._deployment = deployment
        self._generator = generator
        self._executor = executor
        self._providers = providers
        self._registrations = registrations
        self._remote = remote
        self._transforms = transforms
        self._callbacks = callbacks
        self._hooks = hooks
        self._report = reporter
        self._config = config
        self._messages = load("resource_pb2")
        self._skipped: set[str] = set()
        self._turns = Turns()
        self.stack_outputs: tuple[str, Properties] | None = None
        self.finished = False
        self.may_shut_down = threading.Event()

    def register(self, goal: Goal, turn: Turn | None = None) -> ResourceState:
        """Plans and performs what a goal needs, at once or when its turn comes; `Bail` when the deployment stops."""
        if self._deployment.cancelled.is_set():
            raise Bail(goal.name)
        turn = turn or self._turns.skip()
        draft = self._planned(lambda: self._generator.open(goal), goal, turn)
        if step := reread_step(self._deployment, self._generator, draft):
            turn.wait()
            self._executor.run([step], turn.begin)
            draft.old = self._executor.refreshed[id(step.old)]
        steps = self._planned(lambda: self._generator.plan(draft, turn), goal, turn)
        turn.wait()
        steps = self._needed(steps)
        state = self._executor.run(steps, turn.begin) if steps else draft.old
        assert state is not None
        if any(step.op in ("import", "import-replacement") for step in steps):
            imported = self._deployment.news[state.urn]
            steps = self._needed(self._planned(lambda: self._generator.plan_imported(goal, imported, turn), goal, turn))
            return (self._executor.run(steps) if steps else None) or imported
        return state

    def RegisterResource(self, request: Any, context: Any) -> Any:
        with self._turns.take() as turn:
            return self._served(context, lambda: self._register(request, turn))

    def ReadResource(self, request: Any, context: Any) -> Any:
        with self._turns.take() as turn:
            return self._served(context, lambda: self._read(request, turn))

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        return self._served(context, lambda: self._register_outputs(request))

    def Invoke(self, request: Any, context: Any) -> Any:
        return self._served(context, lambda: self._invoke(request), stop=False)

    def Call(self, request: Any, context: Any) -> Any:
        return self._served(context, lambda: self._remote.call(request))

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return self._messages.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        options, stack = self._deployment.options, self._deployment.reference
        return self._messages.DeploymentInfo(
            project=stack.project,
            stack=stack.stack,
            organization="organization",
            config={key: str(v.value) if isinstance(v, Secret) else v for key, v in self._config.items()},
            configSecretKeys=[key for key, value in self._config.items() if isinstance(value, Secret)],
            dryRun=options.preview,
            parallel=options.parallel,
            supportedFeatures=list(_FEATURES.values()),
        )

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:
        self._transforms.add_to_stack(self._callbacks.caller(request))
        return _empty()

    def RegisterStackInvokeTransform(self, request: Any, context: Any) -> Any:
        self._transforms.add_to_invokes(self._callbacks.caller(request))
        return _empty()

    def RegisterResourceHook(self, request: Any, context: Any) -> Any:
        def register() -> Any:
            ignores = getattr(request, "ignore_errors", False)
            hook = Hook(self._callbacks.caller(request.callback), request.on_dry_run, ignores)
            self._hooks.register(request.name, hook)
            return _empty()

        return self._served(context, register, stop=False)

    def RegisterErrorHook(self, request: Any, context: Any) -> Any:
        def register() -> Any:
            self._hooks.register_for_errors(request.name, self._callbacks.caller(request.callback))
            return _empty()

        return self._served(context, register, stop=False)

    def RegisterPackage(self, request: Any, context: Any) -> Any:
        def register() -> Any:
            if request.HasField("parameterization") or request.HasField("extension"):
                raise ResourceError(f"the package {request.name} is parameterized, which needs the Pulumi CLI")
            ref = f"{request.name}@{request.version}@{request.download_url}"
            self._registrations.packages[ref] = (request.name, request.version, request.download_url)
            return self._messages.RegisterPackageResponse(ref=ref)

        return self._served(context, register, stop=False)

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        self.finished = True
        self._deployment.attention.set()
        self.may_shut_down.wait()
        return _empty()

    def _register(self, request: Any, turn: Turn) -> Any:
        try:
            registration = self._understood(lambda: self._registrations.read(request, turn.end))
            if request.remote:
                turn.end()
                return self._remote.construct(request, registration)
        except DataopsError as error:
            turn.give_up()
            self._refuse(error, request.parent, request.type, request.name)
        try:
            state = self.register(registration.goal, turn)
        except _Skipped as skipped:
            return self._without_result(skipped.step)
        except StepFailed as failed:
            if not (self._deployment.options.continue_on_error and request.supportsResultReporting):
                raise
            return self._without_result(failed.step)
        self._registrations.keep(state.urn, registration)
        answer = self._messages.RegisterResourceResponse(urn=state.urn, id=state.id)
        outputs = state.outputs if request.custom else {}
        wire.to_struct(outputs, secrets=request.acceptSecrets, references=request.acceptResources, into=answer.object)
        if state.urn in self._generator.skipped_creates and hasattr(answer, "unknown"):
            answer.unknown = True
        return answer

    def _without_result(self, step: Step) -> Any:
        """Says of a resource that it is not there, so that the program can go on without it."""
        self._skipped.add(step.urn)
        return self._messages.RegisterResourceResponse(urn=step.urn, result=self._messages.FAIL)

    def _planned(self, plan: Callable[[], Planned], goal: Goal | ReadGoal, turn: Turn) -> Planned:
        """Plans; a refusal is told, and stops the deployment once all that was asked for before has begun."""
        try:
            return plan()
        except Bail:
            turn.give_up()
            self._deployment.fail(stop=True)
            raise
        except DataopsError as error:
            turn.give_up()
            self._refuse(error, goal.parent, goal.type, goal.name)

    def _needed(self, steps: list[Step]) -> list[Step]:
        """Steps none of which needs a resource that is not made; `_Skipped` for others."""
        if self._skipped:
            for step in steps:
                resource = step.resource
                if not self._skipped.isdisjoint({resource.parent, *named_by(resource.copy(provider=""))}):
                    raise _Skipped(step)
        return steps

    def _understood(self, read: Callable[[], T]) -> T:
        """What a request comes to; one that makes no sense is the program's own error, and only it hears of that."""
        try:
            return read()
        except DisabledDefaultError:
            raise
        except DataopsError as error:
            raise _Nonsense(_full(error)) from None

    def _refuse(self, error: DataopsError, parent: str, type_: str, name: str) -> NoReturn:
        """Tells why a resource cannot be, and stops the deployment."""
        stack = self._deployment.reference
        urn = make_urn(stack.stack, stack.project, parent or None, type_, name)
        self._report.error(f"{type_} resource '{name}': {_full(error)}", urn)
        self._deployment.fail(stop=True)
        raise Bail(urn)

    def _read(self, request: Any, turn: Turn) -> Any:
        goal = self._understood(lambda: self._registrations.read_goal(request))
        steps = self._planned(lambda: self._generator.plan_read(goal), goal, turn)
        turn.wait()
        try:
            state = self._executor.run(self._needed(steps), turn.begin)
        except (_Skipped, StepFailed) as failed:
            if not self._deployment.options.continue_on_error:
                raise
            # Such an answer has no way to say that there is no result: the program goes on with nothing that was read.
            self._skipped.add(failed.step.urn)
            return self._messages.ReadResourceResponse(urn=failed.step.urn)
        assert state is not None
        answer = self._messages.ReadResourceResponse(urn=state.urn)
        wire.to_struct(
            state.outputs, secrets=request.acceptSecrets, references=request.acceptResources, into=answer.properties
        )
        return answer

    def _register_outputs(self, request: Any) -> Any:
        outputs = with_hashes(wire.from_struct(request.outputs), self._registrations.root)
        if is_stack(request.urn):
            self.stack_outputs = (request.urn, outputs)
        elif request.urn not in self._skipped:
            self._executor.register_outputs(request.urn, outputs)
        return _empty()

    def _invoke(self, request: Any) -> Any:
        options = self._messages.TransformInvokeOptions(
            provider=request.provider, version=request.version, plugin_download_url=request.pluginDownloadURL
        )
        args, options = self._transforms.apply_to_invoke(request.tok, wire.from_struct(request.args), options)
        reference = self._registrations.provider_of_function(request.tok, options, request.packageRef)
        provider = self._providers.get(reference) or self._providers.ensure(reference, request.tok)
        if provider is None:
            raise ResourceError(f"there is no provider for the function {request.tok}")
        result = provider.invoke(request.tok, args, self._deployment.options.preview)
        answer = self._messages.ResourceInvokeResponse()
        wire.to_struct(result.outputs, references=request.acceptResources, into=getattr(answer, "return"))
        for failure in result.failures:
            answer.failures.add(property=failure.property, reason=failure.reason)
        return answer

    def _served(self, context: Any, serve: Callable[[], Any], stop: bool = True) -> Any:
        """Answers a call; errors become the statuses that the SDK expects."""
        import grpc

        try:
            return serve()
        except Bail:
            # The program ends when it hears of this, and what is still being performed may call its hooks.
            self._executor.wait()
            context.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")
        except _Nonsense as nonsense:
            context.abort(grpc.StatusCode.UNKNOWN, str(nonsense))
        except DataopsError as error:
            if stop:
                self._report.error(_full(error))
                self._deployment.fail(stop=True)
                context.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:
            self._deployment.unexpected(error)
            context.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")


class _Nonsense(Exception):
    """A request that cannot be understood."""


class _Skipped(Bail):
    """A resource is not made because one that it depends on failed."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.urn)
        self.step = step


def _full(error: DataopsError) -> str:
    lines = [error.what]
    if error.details and error.details.strip() != error.what:
        lines.append(error.details.rstrip())
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty()
