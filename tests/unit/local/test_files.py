"""Lake, environment file, endpoints and virtual environment: resources that are files."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops.infra.errors import ResourceError
from dataops.infra.process.dotenv import format_variables, read_variables
from dataops.infra.providers.base import CheckFailure
from dataops.infra.providers.handlers import HandlerProvider
from dataops.infra.resources.values import Secret
from support.resources import Managed


@pytest.fixture
def variables(provider: HandlerProvider, tmp_path: Path) -> Managed:
    inputs = {"path": str(tmp_path / "e" / "environment.env"), "variables": {"A": "1", "PASSWORD": Secret("s3 'cret")}}
    return Managed(provider, "dataops:local:EnvironmentFile", inputs)


def test_only_the_owner_reads_the_variables(variables: Managed) -> None:
    variables.create()
    path = Path(variables.id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_variables(path) == {"A": "1", "PASSWORD": "s3 'cret"}
    assert "s3 'cret" not in repr(variables.outputs)


def test_variables_changed_by_hand_are_put_right(variables: Managed) -> None:
    variables.create()
    assert variables.refresh()
    assert variables.changed() == ()
    Path(variables.id).write_text("A=2\n")
    variables.refresh()
    assert variables.changed() == ("digest",)
    variables.update()
    assert read_variables(Path(variables.id))["A"] == "1"


def test_a_file_that_already_says_so_is_not_written_again(variables: Managed) -> None:
    before = Path(variables.create().id).stat()
    variables.create()
    assert (Path(variables.id).stat().st_mtime_ns, Path(variables.id).stat().st_ino) == (
        before.st_mtime_ns,
        before.st_ino,
    )


def test_a_name_that_is_no_variable_is_refused_without_its_value(variables: Managed) -> None:
    check = variables.provider.check(variables.urn, None, {**variables.inputs, "variables": {"A-B": Secret("hidden")}})
    assert check.failures == (CheckFailure("variables", "'A-B' cannot name a variable"),)


def test_a_deleted_file_is_gone_and_may_be_deleted_again(variables: Managed) -> None:
    variables.create()
    variables.delete()
    variables.delete()
    assert not variables.refresh()


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
values = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)


@given(st.dictionaries(names, values, max_size=4))
def test_any_variables_survive_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, pairs: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("env") / "e.env"
    path.write_bytes(format_variables(pairs).encode())
    assert read_variables(path) == pairs


@given(st.text('abc $`"#=&;|<>*?!ä%{}()~', max_size=12))
def test_a_shell_reads_the_same_value(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    path = tmp_path_factory.mktemp("env") / "e.env"
    path.write_bytes(format_variables({"A": value}).encode())
    done = subprocess.run(["sh", "-c", f'. {path}; printf %s "$A"'], capture_output=True, text=True, check=True)
    assert done.stdout == value


@pytest.fixture
def lake(provider: HandlerProvider, tmp_path: Path) -> Managed:
    golden = tmp_path / "golden"
    (golden / "raw").mkdir(parents=True)
    (golden / "raw" / "flights.parquet").write_bytes(b"x" * 5000)
    inputs = {"path": str(tmp_path / "env" / "lake"), "source": str(golden)}
    return Managed(provider, "dataops:local:Lake", inputs)


def test_a_lake_is_a_copy_that_can_be_written(lake: Managed) -> None:
    golden = Path(lake.inputs["source"], "raw", "flights.parquet")
    golden.chmod(0o400)
    lake.create()
    copy = Path(lake.id, "raw", "flights.parquet")
    copy.write_bytes(b"y")
    assert golden.read_bytes() == b"x" * 5000
    assert lake.outputs["url"] == Path(lake.id).as_uri()
    assert [p.name for p in Path(lake.id).iterdir()] == ["raw"]


def test_a_lake_without_a_source_is_empty_and_keeps_what_is_written(lake: Managed) -> None:
    lake.inputs["source"] = ""
    lake.create()
    Path(lake.id, "object").write_text("mine")
    lake.create()
    assert Path(lake.id, "object").exists()


def test_a_half_copied_lake_is_copied_anew(lake: Managed) -> None:
    path = Path(lake.inputs["path"])
    (path / "raw").mkdir(parents=True)
    (path / "raw" / "flights.parquet").write_text("half")
    path.with_name(".lake.partial").touch()
    lake.create()
    assert Path(lake.id, "raw", "flights.parquet").stat().st_size == 5000


def test_another_generation_lays_a_lake_anew(lake: Managed) -> None:
    lake.inputs["generation"] = "snap/0"
    lake.create()
    Path(lake.id, "mine").write_text("mine")
    lake.update(generation="snap/0")
    assert Path(lake.id, "mine").exists()
    lake.update(generation="snap/1")
    assert not Path(lake.id, "mine").exists() and Path(lake.id, "raw", "flights.parquet").stat().st_size == 5000


def test_a_deleted_lake_leaves_nothing_behind(lake: Managed) -> None:
    lake.create()
    lake.delete()
    lake.delete()
    assert list(Path(lake.id).parent.iterdir()) == []
    assert not lake.refresh()


def test_a_lake_over_somebody_elses_files_is_refused(lake: Managed) -> None:
    Path(lake.inputs["path"]).mkdir(parents=True)
    Path(lake.inputs["path"], "precious").touch()
    with pytest.raises(ResourceError, match="was not made by dataops"):
        lake.create()


def test_endpoints_are_published_at_once_and_put_right(provider: HandlerProvider, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    inputs = {"path": str(path), "endpoints": {"api": "http://127.0.0.1:1"}}
    endpoints = Managed(provider, "dataops:local:Endpoints", inputs).create()
    assert json.loads(path.read_text()) == {"api": "http://127.0.0.1:1"}
    path.write_text("{broken")
    endpoints.refresh()
    assert endpoints.changed() == ("endpoints",)
    endpoints.update()
    assert json.loads(path.read_text()) == {"api": "http://127.0.0.1:1"}
    endpoints.delete()
    endpoints.delete()
    assert not endpoints.refresh()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The smallest wheel that can be installed, so that no package index is needed."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def venv(provider: HandlerProvider, tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Managed:
    monkeypatch.setenv("UV_OFFLINE", "1")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"tiny @ {wheel.as_uri()}\n")
    inputs = {"path": str(tmp_path / "v" / "abc"), "requirements": str(requirements), "requirementsHash": "abc"}
    return Managed(provider, "dataops:local:VirtualEnvironment", inputs)


def test_a_virtual_environment_holds_exactly_what_is_required(venv: Managed) -> None:
    venv.create()
    code = "import tiny; print(tiny.ANSWER)"
    done = subprocess.run([venv.outputs["python"], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"
    assert venv.refresh()
    assert venv.changed() == ()


def test_a_half_made_virtual_environment_is_made_anew(venv: Managed) -> None:
    venv.create()
    Path(venv.id, ".dataops-complete").unlink()
    shutil.rmtree(Path(venv.id, "lib"))
    assert not venv.refresh()
    venv.create()
    subprocess.run([venv.outputs["python"], "-c", "import tiny"], check=True)


def test_a_requirement_that_cannot_be_installed_is_told_in_uvs_words(venv: Managed, wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(ResourceError) as raised:
        venv.create()
    assert "tiny" in (raised.value.details or "")
    assert not venv.refresh()


def test_a_package_that_does_not_match_its_hash_is_refused(venv: Managed) -> None:
    requirements = Path(venv.inputs["requirements"])
    requirements.write_text(requirements.read_text().strip() + f" --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ResourceError) as raised:
        venv.create()
    assert "hash" in (raised.value.details or "").lower()


def test_a_deleted_virtual_environment_is_gone(venv: Managed) -> None:
    venv.create()
    venv.delete()
    venv.delete()
    assert not Path(venv.id).exists()
