"""Secrets under a passphrase, in Pulumi's format."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops.infra.errors import AuthenticationError, ConfigurationError, VerificationError
from dataops.infra.state.passphrase import PassphraseSecrets, passphrase_from
from support.stacks import PASSPHRASE, stack_secrets

# Made by the Pulumi CLI for the passphrase "tr0ub4dor".
SALT = "v1:u/RwoRf7/1s=:v1:ofwebFCfLM3h7pDN:ZHa7WFg2bzRHIZ2lxKkN2Mpt8y52YQ=="
SEALED = "v1:JqxNnufGV7d/mmt/:zi1CBvr0FQHyE5pWWPzBqcXT9FmJ6Ik="


def test_what_pulumi_encrypted_is_decrypted() -> None:
    secrets = PassphraseSecrets("tr0ub4dor", SALT)
    secrets.verify()
    assert secrets.decrypt(SEALED) == "hunter2"
    assert secrets.provider == {"type": "passphrase", "state": {"salt": SALT}}


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_a_new_ciphertext_each_time(text: str) -> None:
    first, second = stack_secrets().encrypt(text), stack_secrets().encrypt(text)
    assert first != second
    assert stack_secrets().decrypt(first) == stack_secrets().decrypt(second) == text


def test_a_wrong_passphrase_is_told_without_naming_it() -> None:
    wrong = PassphraseSecrets("tr0ub4dour", SALT)
    for use in (wrong.verify, lambda: wrong.encrypt("x"), lambda: wrong.decrypt(SEALED)):
        with pytest.raises(AuthenticationError) as told:
            use()
        assert "tr0ub4dour" not in f"{told.value}{told.value.hint}{told.value.details}"
        assert "PULUMI_CONFIG_PASSPHRASE" in (told.value.hint or "")


def test_no_passphrase_is_told_when_one_is_needed() -> None:
    with pytest.raises(AuthenticationError, match="none was given"):
        PassphraseSecrets(None, SALT).decrypt(SEALED)


def test_damaged_values_are_told() -> None:
    version, nonce, sealed = stack_secrets().encrypt("hush").split(":")
    flipped = bytearray(base64.b64decode(sealed))
    flipped[0] ^= 1
    for damaged in ("", "v1:a", f"v2:{nonce}:{sealed}", f"{version}:{nonce}:{base64.b64encode(flipped).decode()}"):
        with pytest.raises(VerificationError):
            stack_secrets().decrypt(damaged)


@pytest.mark.parametrize("salt", ["", "v1", "v1:!!:v1:a:b", "v2:u/RwoRf7/1s=:v1:a:b", "v1:u/RwoRf7/1s=:v1"])
def test_a_malformed_salt_is_told(salt: str) -> None:
    with pytest.raises(ConfigurationError, match="salt"):
        PassphraseSecrets("x", salt)


def test_the_matching_manager_is_the_same_for_the_same_salt() -> None:
    assert stack_secrets().matching(stack_secrets().provider) is stack_secrets()
    other = PassphraseSecrets.new(PASSPHRASE)
    assert stack_secrets().matching(other.provider).decrypt(other.encrypt("x")) == "x"
    with pytest.raises(ConfigurationError, match="awskms"):
        stack_secrets().matching({"type": "awskms", "state": {}})


def test_the_passphrase_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text("from a file\n")
    assert passphrase_from({}) is None
    assert passphrase_from({"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    assert passphrase_from({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "phrase")}) == "from a file"
    both = {"PULUMI_CONFIG_PASSPHRASE": "direct", "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "phrase")}
    assert passphrase_from(both) == "direct"
    with pytest.raises(AuthenticationError, match="cannot be read"):
        passphrase_from({"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "missing")})
