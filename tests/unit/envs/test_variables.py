from __future__ import annotations

from pathlib import Path

import pytest

from dataops.envs.registry import EnvironmentRecord, State
from dataops.envs.variables import command_variables
from dataops.infra.errors import VerificationError
from dataops.infra.process.dotenv import format_variables

NEEDED_DAILY = ("EDITOR", "LANG", "LC_TIME", "TERM", "DISPLAY", "HTTPS_PROXY", "PIP_INDEX_URL", "UV_INDEX", "GIT_PAGER")
DANGEROUS = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "PGHOST", "PGPASSWORD", "SSH_AUTH_SOCK", "KUBECONFIG", "DATABASE_URL")


def environment(root: Path, text: str | None = None) -> EnvironmentRecord:
    own = format_variables({"DATAOPS_ENVIRONMENT": "feature-x", "KUBECONFIG": "/dev/null"})
    (root / "environment.env").write_bytes((own if text is None else text).encode("latin-1"))
    return EnvironmentRecord(
        name="feature-x", platform="shop", role="replica", branch="feature/x", commit="c" * 40, repository="",
        directory="", root=str(root), backend="", project="shop", stack="feature-x", passphrase={}, state=State.READY,
    )  # fmt: skip


def test_a_command_gets_what_daily_work_needs_and_nothing_that_leads_to_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NEEDED_DAILY + DANGEROUS:
        monkeypatch.setenv(name, "of-the-shell")
    found = command_variables(environment(tmp_path))
    assert [name for name in NEEDED_DAILY if found.get(name) != "of-the-shell"] == []
    assert [name for name in DANGEROUS if found.get(name) == "of-the-shell"] == []


@pytest.mark.parametrize("text", ["", "KUBECONFIG=/dev/null\n", "DATAOPS_ENVIRONMENT=production\n", "\xdf\x00=\n"])
def test_nothing_runs_with_variables_that_were_cut_off(tmp_path: Path, text: str) -> None:
    with pytest.raises(VerificationError, match="variables of environment feature-x are damaged") as caught:
        command_variables(environment(tmp_path, text))
    assert caught.value.hint == "write them anew with `dataops env up --branch feature/x`"
