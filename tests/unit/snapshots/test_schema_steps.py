"""What follows the rows of a schema is run in steps; only what is known to be independent runs at once."""

from __future__ import annotations

import textwrap

from dataops.snapshots.schema_steps import schema_steps

HEAD = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
END = "\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"


def entry(kind: str, statement: str) -> str:
    return f"--\n-- Name: some; Type: {kind}; Schema: public; Owner: -\n--\n\n{textwrap.dedent(statement)}\n"


def key(table: str, name: str, more: str = "") -> str:
    return entry("CONSTRAINT", f"ALTER TABLE ONLY public.{table}\n    ADD CONSTRAINT {name} PRIMARY KEY (id);{more}\n")


def index(table: str, name: str, where: str = "") -> str:
    return entry("INDEX", f"CREATE INDEX {name} ON public.{table} USING btree (a){where};\n")


def script(*entries: str) -> bytes:
    return (HEAD + "\n\n" + "\n\n".join(entries) + END).encode()


def steps(*entries: str, **sizes: int) -> list[list[str]]:
    """The names that stand in the scripts of each step."""
    names = ["k1", "k2", "k3", "i1", "i2", "i3", "fk", "note"]
    found = schema_steps(script(*entries), {f"public.{table}": size for table, size in sizes.items()})
    for step in found:
        assert all(text.decode().startswith(HEAD) for text in step.scripts)
    return [[" ".join(n for n in names if f" {n} ".encode() in text) for text in step.scripts] for step in found]


FOREIGN = entry("FK CONSTRAINT", "ALTER TABLE ONLY public.a\n    ADD CONSTRAINT fk FOREIGN KEY (b) REFERENCES b(id);\n")


def test_keys_of_one_table_stay_together_and_indexes_are_built_apart() -> None:
    made = steps(key("a", "k1"), key("a", "k2"), key("b", "k3"), index("a", "i1"), index("b", "i2"), FOREIGN)
    assert made == [["k1 k2", "k3"], ["i1", "i2"], ["fk"]]


def test_those_of_the_largest_table_come_first() -> None:
    made = steps(key("a", "k1"), key("b", "k2"), index("a", "i1"), index("b", "i2"), a=1, b=2)
    assert made == [["k2", "k1"], ["i2", "i1"]]


def test_the_index_of_a_partitioned_table_is_made_beside_those_of_its_partitions() -> None:
    made = steps(index("part", "i2"), index("ONLY public.whole", "i1").replace("public.ONLY", "ONLY"), part=1)
    assert made == [["i2", "i1"]]


def test_what_else_a_key_brings_stays_with_it() -> None:
    cluster = "\n\nALTER TABLE public.a CLUSTER ON some;"
    assert steps(key("a", "k1", cluster), key("b", "k2")) == [["k1", "k2"]]
    (step,) = schema_steps(script(key("a", "k1", cluster), key("b", "k2")), {})
    assert [b"CLUSTER" in text for text in step.scripts] == [True, False]


def test_what_is_not_known_to_be_independent_keeps_its_place() -> None:
    partial = index("a", "i1", " WHERE (a <> 'x;'::text)")
    assert steps(index("a", "i2"), partial, index("b", "i3")) == [["i2"], ["i1"], ["i3"]]


def test_a_script_with_text_that_looks_like_an_object_is_run_as_it_is() -> None:
    comment = f"COMMENT ON INDEX public.i1 IS 'text\n\n\n{index('a', 'i2')}';\n"
    whole = script(index("a", "i1"), entry("COMMENT", comment))
    (step,) = schema_steps(whole, {})
    assert step.scripts == (whole,)
    quoted = script(index("a", f'"i1\n\n\n{index("a", "i2")}"'))
    assert schema_steps(quoted, {})[0].scripts == (quoted,)


def test_nothing_to_do_is_one_step_that_does_nothing() -> None:
    assert [b"CREATE" in text for step in schema_steps(script(), {}) for text in step.scripts] in ([], [False])
