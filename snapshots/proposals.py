"""Which rule a column should have, told from its name, its type and a sample of its values.

Samples stay in memory: what is said about them is the name of a pattern and how many values match it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dataops.snapshots.masking.base import Family
from dataops.snapshots.masking.checked import CARD, IBAN, is_valid
from dataops.snapshots.masking.json_paths import leaves_of
from dataops.snapshots.problems import Missing, yaml_key

MOST = 0.6
SOME = 0.02
FEW_DIFFERENT = 12
ENOUGH = 50
HASH_LENGTH = 64
MOST_PATHS = 60


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule for something that has none; `rule` is in YAML's flow style, `why` says what it was told from."""

    missing: Missing
    rule: str
    why: str

    @property
    def line(self) -> str:
        """The rule with its reason as a comment."""
        return f"{self.rule}    # {self.why}"


def _email(text: str) -> bool:
    return bool(re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text))


def _phone(text: str) -> bool:
    return bool(re.fullmatch(r"[+(\d][\d ()./-]{6,20}\d", text)) and 7 <= sum(map(str.isdigit, text)) <= 15


def is_token(text: str) -> bool:
    """Whether a text looks like a key or a token: long, in one piece, of mixed characters."""
    return bool(re.fullmatch(r"[A-Za-z0-9+/_=.-]{20,}", text)) and len(set(text)) > 10 and bool(re.search(r"\d", text))


PATTERNS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "email": ("e-mail addresses", _email),
    "iban": ("bank accounts with valid check digits", lambda text: is_valid(IBAN, text)),
    "card": ("card numbers with a valid check digit", lambda text: is_valid(CARD, text)),
    "uuid": ("UUIDs", lambda text: bool(re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text))),
    "us_ssn": ("social security numbers", lambda text: bool(re.fullmatch(r"\d{3}-\d{2}-\d{4}", text))),
    "token": ("keys or tokens", is_token),
}
"""Classes that values can be told by: what they are called, and what tells them."""

_NAMES: tuple[tuple[str, str, frozenset[Family]], ...] = (
    (r"e_?mail", "email", frozenset({Family.TEXT})),
    (r"first_?name|given_?name|forename", "first_name", frozenset({Family.TEXT})),
    (r"last_?name|surname|family_?name", "last_name", frozenset({Family.TEXT})),
    (r"full_?name|person|customer_?name|passenger_?name|user_?name|^name$", "person_name", frozenset({Family.TEXT})),
    (r"phone|mobile|telephone|\bfax\b|\btel\b", "phone", frozenset({Family.TEXT})),
    (r"company|employer|organi[sz]ation", "company", frozenset({Family.TEXT})),
    (r"street|address_?line", "street", frozenset({Family.TEXT})),
    (r"address", "address", frozenset({Family.TEXT})),
    (r"\bcity\b|town", "city", frozenset({Family.TEXT})),
    (r"zip|post_?(al_?)?code", "postcode", frozenset({Family.TEXT})),
    (r"\bssn\b|social_security", "us_ssn", frozenset({Family.TEXT})),
    (r"iban", "iban", frozenset({Family.TEXT})),
    (r"card_?n(o|um)|credit_?card|\bpan\b", "card", frozenset({Family.TEXT})),
    (r"birth|\bdob\b", "date_of_birth", frozenset({Family.DATE})),
    (r"password|passwd|secret|api_?key|private_?key|salt", "secret", frozenset(Family)),
    (r"token|session", "token", frozenset({Family.TEXT})),
    (r"note|comment|remark|message|description|\btext\b|body", "free_text", frozenset({Family.TEXT})),
    (r"phone|mobile|ssn|passport|licen[cs]e|account|\bcard\b", "identifier", frozenset({Family.INTEGER})),
)
_MERGING = frozenset(
    {"first_name", "last_name", "person_name", "company", "street", "address", "city", "postcode", "free_text"}
)
"""Classes whose rules are not injective."""


def propose(missing: Missing, sample: Sequence[str]) -> Proposal:
    """A rule for a column.

    Args:
        missing: the column.
        sample: some of its values as text, NULL left out.
    """
    if missing.family is None:
        return Proposal(missing, "[]", "it has no columns, such as Parquet has: it is copied as it is")
    if missing.family is Family.JSON:
        return _document(missing, sample)
    name, why = _by_values(missing, sample)
    if not name:
        name, why = _by_name(missing)
    if name in _MERGING and missing.unique:
        name = ""
    if name == "secret" and missing.required:
        name = ""
    if name:
        return Proposal(missing, f"{{class: {name}}}", why)
    return Proposal(missing, *_by_type(missing, sample))


def _by_values(missing: Missing, sample: Sequence[str]) -> tuple[str, str]:
    texts = [text.strip() for text in sample if text.strip()]
    if missing.family not in (Family.TEXT, Family.UUID) or not texts:
        return "", ""
    for name, (called, test) in PATTERNS.items():
        count = sum(map(test, texts))
        if count >= MOST * len(texts):
            return name, f"{called}: {count:,} of {len(texts):,} values"
    inside = sum("@" in text and bool(re.search(r"\S@\S+\.\S", text)) for text in texts)
    if inside > SOME * len(texts):
        return "free_text", f"texts with e-mail addresses: {inside:,} of {len(texts):,} values"
    phones = sum(map(_phone, texts))
    if phones >= MOST * len(texts) and _by_name(missing)[0] == "phone":
        return "phone", f"telephone numbers: {phones:,} of {len(texts):,} values"
    return "", ""


def _by_name(missing: Missing) -> tuple[str, str]:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", missing.name).lower().replace("_", " ")
    spelt = (name, name.replace(" ", "_"))
    for pattern, found, families in _NAMES:
        if missing.family in families and any(re.search(pattern, spelling) for spelling in spelt):
            return found, "by its name"
    return "", ""


def _by_type(missing: Missing, sample: Sequence[str]) -> tuple[str, str]:
    """A rule that is safe for the type, and the reason."""
    different = len(set(sample))
    if missing.family is Family.TEXT:
        if len(sample) >= ENOUGH and different <= FEW_DIFFERENT and not missing.unique:
            return "keep", f"only {different} different values among {len(sample):,}: look before you keep them"
        if missing.length is not None and missing.length < HASH_LENGTH:
            return "{rule: fpe, alphabet: alphanumeric}", f"text that no pattern tells, {missing.length} characters"
        return "hash", "text that no pattern tells"
    if missing.family is Family.DATE:
        if re.search(r"(creat|updat|load|insert|modif|chang|valid|process)\w*(_at|_on|_date|_time)?$", missing.name):
            return "keep", "by its name: when a row was written"
        return "{rule: date_shift, days: 30}", "a date that could tell of a person"
    if missing.family is Family.UUID:
        return "uuid", "by its type"
    if missing.family in (Family.INTEGER, Family.SMALLINT, Family.NUMBER) or missing.type == "boolean":
        return "keep", f"a {missing.type} whose name tells of no person"
    return ("text" if missing.required else "null"), f"a {missing.type}, which no rule masks in part"


def _document(missing: Missing, sample: Sequence[str]) -> Proposal:
    """Rules for the paths of a column of documents."""
    paths: dict[str, list[str]] = {}
    families: dict[str, Family] = {}
    for text in sample:
        for path, family, value in leaves_of(text):
            if len(paths) < MOST_PATHS or path in paths:
                paths.setdefault(path, []).append(value)
                families[path] = family
    rules = []
    for path, values in sorted(paths.items()):
        own = Missing(missing.section, missing.owner, path.rpartition(".")[2], families[path], "value")
        rules.append(f"{json.dumps(path, ensure_ascii=False)}: {propose(own, values).rule}")
    why = f"{len(paths)} paths in {len(sample):,} documents; other paths stop a capture"
    return Proposal(missing, "{rule: json, paths: {" + ", ".join(rules) + "}}", why)


def propose_paths(missing: Missing, sample: Sequence[str], paths: Collection[str]) -> list[Proposal]:
    """Rules for the paths within the documents of a column that its rule does not name."""
    found: dict[str, tuple[Family, list[str]]] = {}
    for text in sample:
        for path, family, value in leaves_of(text):
            if path in paths and (len(found) < MOST_PATHS or path in found):
                found.setdefault(path, (family, []))[1].append(value)
    proposals = []
    for path, (family, values) in sorted(found.items()):
        own = propose(Missing(missing.section, missing.owner, path.rpartition(".")[2], family, "value"), values)
        proposals.append(Proposal(replace(missing, path=path, family=family), own.rule, own.why))
    return proposals


def agree(proposals: Sequence[Proposal], pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]]) -> list[Proposal]:
    """The same proposals, but the ends of a foreign key get one rule: that of the column that is referred to.

    Args:
        pairs: table and column of each end, the referring one first.
    """
    known = {(p.missing.owner, p.missing.name): p for p in proposals if p.missing.section == "tables"}
    for here, there in pairs:
        if here in known and there in known and here != there:
            own, other = known[here], known[there]
            known[here] = Proposal(own.missing, other.rule, f"as {there[0]}.{there[1]}, which it refers to")
    return [known.get((p.missing.owner, p.missing.name), p) if p.missing.section == "tables" else p for p in proposals]


def additions(proposals: Sequence[Proposal]) -> dict[str, dict[str, dict[str, str]]]:
    """Proposals by section, owner and column, as keys of YAML."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for proposal in (one for one in proposals if not one.missing.path):
        missing = proposal.missing
        key = missing.name if missing.family is None else yaml_key(missing.name)
        found.setdefault(missing.section, {}).setdefault(yaml_key(missing.owner), {})[key] = proposal.line
    return found


def path_additions(proposals: Sequence[Proposal]) -> dict[tuple[str, ...], dict[str, str]]:
    """Proposals for paths within documents, by the place of their rules; paths as keys of YAML."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for proposal in (one for one in proposals if one.missing.path):
        key = json.dumps(proposal.missing.path, ensure_ascii=False)
        found.setdefault(proposal.missing.place, {})[key] = proposal.line
    return found
