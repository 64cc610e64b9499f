"""What a user wants of an operation on a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataops.infra.engine.options import UpdateOptions
    from dataops.infra.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for; `kind` is `update`, `refresh` or `destroy`. See the options of `dataops stack up`."""

    kind: str
    yes: bool = False
    skip_preview: bool = False
    preview_only: bool = False
    expect_no_changes: bool = False
    as_json: bool = False
    diff: bool = False
    show_sames: bool = False
    suppress_progress: bool = False
    suppress_outputs: bool = False
    show_secrets: bool = False
    event_log: Path | None = None
    message: str = ""
    parallel: int = 16
    refresh: bool | None = None
    targets: tuple[str, ...] = ()
    target_dependents: bool = False
    excludes: tuple[str, ...] = ()
    exclude_dependents: bool = False
    exclude_protected: bool = False
    ignore_protect: bool = False
    replaces: tuple[str, ...] = ()
    clear_pending_creates: bool = False
    import_pending_creates: tuple[tuple[str, str], ...] = ()
    plan: Path | None = None
    save_plan: Path | None = None
    config_file: Path | None = None
    config_path: bool = False
    continue_on_error: bool = False
    remove: bool = False
    run_program: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    engine: str = "auto"

    def options(self, plan: Plan | None, metadata: Mapping[str, str], always_refreshes: bool = False) -> UpdateOptions:
        """The same for the engine.

        Args:
            plan: the plan that `plan` names, when the operation must keep to it.
            metadata: for the history.
            always_refreshes: whether to refresh where the user has not said.
        """
        from dataops.infra.engine.options import UpdateOptions

        return UpdateOptions(
            parallel=self.parallel,
            refresh=always_refreshes if self.refresh is None else self.refresh,
            message=self.message,
            continue_on_error=self.continue_on_error,
            targets=self.targets,
            target_dependents=self.target_dependents,
            excludes=self.excludes,
            exclude_dependents=self.exclude_dependents,
            exclude_protected=self.exclude_protected,
            ignore_protect=self.ignore_protect,
            replaces=self.replaces,
            plan=plan,
            make_plan=self.save_plan is not None,
            run_program=self.run_program,
            clear_pending_creates=self.clear_pending_creates,
            import_pending_creates=dict(self.import_pending_creates),
            metadata=metadata,
        )
