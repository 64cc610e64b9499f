from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dataops.envs.passphrase import find_passphrase
from dataops.infra.errors import AuthenticationError


def test_a_file_of_the_default_name_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".dataops" / "passphrase"
    made = find_passphrase({"file": str(path)}, may_make=True)
    assert made.made == path and len(made.text) > 30
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".dataops" / ".gitignore").read_text() == "*\n"
    again = find_passphrase({"file": str(path)}, may_make=True)
    assert (again.text, again.made) == (made.text, None)


def test_a_file_that_the_team_named_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError) as caught:
        find_passphrase({"file": str(tmp_path / "secret.txt")}, may_make=True)
    assert caught.value.where == str(tmp_path / "secret.txt")


def test_a_missing_file_is_not_made_when_secrets_exist_already(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError):
        find_passphrase({"file": str(tmp_path / ".dataops" / "passphrase")})
    assert not (tmp_path / ".dataops").exists()


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("\n")
    with pytest.raises(AuthenticationError):
        find_passphrase({"file": str(tmp_path / "p")})


def test_a_variable_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSPHRASE", "horse")
    assert find_passphrase({"variable": "SHOP_PASSPHRASE"}).text == "horse"
    monkeypatch.delenv("SHOP_PASSPHRASE")
    with pytest.raises(AuthenticationError):
        find_passphrase({"variable": "SHOP_PASSPHRASE"})


def test_a_command_prints_it(tmp_path: Path) -> None:
    assert find_passphrase({"command": [sys.executable, "-c", "print('horse')"]}).text == "horse"
    with pytest.raises(AuthenticationError) as caught:
        find_passphrase({"command": [sys.executable, "-c", "import sys; print('half'); sys.exit('locked')"]})
    assert "half" not in str(caught.value) and caught.value.details == "locked"
    with pytest.raises(AuthenticationError):
        find_passphrase({"command": [str(tmp_path / "none")]})


def test_a_passphrase_does_not_show_in_its_representation() -> None:
    found = find_passphrase({"command": [sys.executable, "-c", "print('horse')"]})
    assert "horse" not in repr(found)
